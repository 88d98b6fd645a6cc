// The page. Its session is kept by a cookie that no script can read; its access token is in memory only.
// With a bundler this is `import { createSession } from "@daypass/client"`.
import { createSession } from "/client/index.js";
import { settings } from "/settings.js";

const { service, api } = settings;
const session = createSession({ baseUrl: service, transport: "cookie", allowedOrigins: [service, api] });
const element = (id) => document.getElementById(id);

// --- what the session tells -----------------------------------------------------------------------

let renewals = 0;
session.on("signedin", () => note("Signed in."));
session.on("refreshed", () => {
  element("renewals").textContent = String(++renewals);
  note("A new access token.");
});
session.on("signedout", ({ reason }) => note(`Signed out (${reason}).`));
session.on("unreachable", () => note("The service does not answer. You stay signed in."));
session.on("reachable", () => note("The service answers again."));
session.subscribe(show);

const TEXTS = {
  unknown: "One moment…",
  "signed-out": "You are signed out.",
  active: "You are signed in.",
  stale: "You are signed in. The next call renews the access token.",
  unreachable: "You are signed in, but the service does not answer.",
};

function show() {
  const { status } = session.state;
  element("status").textContent = TEXTS[status];
  const signedIn = status === "active" || status === "stale" || status === "unreachable";
  element("signed-out").hidden = status !== "signed-out";
  element("signed-in").hidden = !signedIn;
  if (!signedIn) element("keep-calling").checked = false;
}

function note(text) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString();
  line.append(time, text);
  element("log").prepend(line);
}

// --- calls ----------------------------------------------------------------------------------------

/** Calls, and gives what was answered. An answer that is no success is an error with its words. */
async function call(url, init) {
  const response = await session.fetch(url, init);
  if (response.status === 204) return undefined;
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.detail ?? `the answer was ${response.status}`);
  return body;
}

async function showPerson() {
  const me = await call(`${service}/v1/me`);
  element("name").textContent = me.claims.name ?? me.username ?? me.sub;
}

async function showSessions() {
  const { sessions } = await call(`${service}/v1/sessions`);
  element("sessions").replaceChildren(...sessions.map(sessionLine));
}

function sessionLine({ id, label, user_agent: agent, created_at: created, current }) {
  const line = document.createElement("li");
  const text = document.createElement("div");
  const name = label ?? browserName(agent);
  const since = document.createElement("small");
  since.textContent = `since ${new Date(created * 1000).toLocaleString()}`;
  text.append(current ? `${name} (this one)` : name, since);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = "End";
  button.setAttribute("aria-label", `End the session of ${name}, ${since.textContent}`);
  button.addEventListener("click", () => act(button, () => endSession(id, current)));
  line.append(text, button);
  return line;
}

function browserName(agent = "") {
  const [, browser] = /(Firefox|Edg|Chrome|Safari)/.exec(agent ?? "") ?? [];
  return browser ?? "another program";
}

async function endSession(id, current) {
  if (current) return session.signOut();
  await call(`${service}/v1/sessions/${encodeURIComponent(id)}`, { method: "DELETE" });
  note("Ended another session.");
  await showSessions();
}

async function callApi() {
  const { greeting } = await call(`${api}/greeting`);
  element("answer").textContent = `${greeting} (${new Date().toLocaleTimeString()})`;
}

async function showAll() {
  await Promise.all([showPerson(), showSessions()]);
}

// --- what the person does -------------------------------------------------------------------------

/** Does something for a button, which cannot be pressed again meanwhile, and tells what went wrong. */
async function act(button, does) {
  element("problem").hidden = true;
  button.disabled = true;
  try {
    await does();
  } catch (error) {
    // That nobody is signed in is told by the page itself.
    if (session.state.status !== "signed-out" || error.code === "credentials") problem(error);
  } finally {
    button.disabled = false;
    show();
  }
}

function problem(error) {
  const wrong = error.code === "credentials" ? "Name or password is wrong." : `That did not work: ${error.message}.`;
  element("problem").textContent = wrong;
  element("problem").hidden = false;
}

element("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const { username, password } = Object.fromEntries(new FormData(form));
  act(form.querySelector("button"), async () => {
    await session.signIn({ username, password });
    form.reset();
    await showAll();
    show();
    element("who-title").focus();
  });
});
element("call").addEventListener("click", ({ currentTarget }) => act(currentTarget, callApi));
element("sign-out").addEventListener("click", ({ currentTarget }) => act(currentTarget, () => session.signOut()));
element("sign-out-everywhere").addEventListener("click", ({ currentTarget }) =>
  act(currentTarget, () => session.signOut({ everywhere: true })),
);
setInterval(() => {
  if (element("keep-calling").checked) act(element("call"), callApi);
}, 5000);

// --- the beginning --------------------------------------------------------------------------------

show();
// Only the service knows whether this browser is signed in: the first call tells.
showAll()
  .catch((error) => {
    if (session.state.status !== "signed-out") problem(error);
  })
  .finally(show);
