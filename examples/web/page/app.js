// The page. Its session is kept by a cookie that no script can read; its access token is in memory only.
// With a bundler this is `import { createSession } from "@daypass/client"`.
import { createSession } from "/client/index.js";
import { settings } from "/settings.js";

const { service, api } = settings;
const session = createSession({ baseUrl: service, transport: "cookie", allowedOrigins: [service, api] });
const element = (id) => document.getElementById(id);

// --- what the session tells -----------------------------------------------------------------------

let renewals = 0;
let signIns = 0;
let loading;
// Here or in another tab, and perhaps by somebody else: nothing that is shown stays.
session.on("signedin", () => {
  note("Signed in.");
  signIns++;
  leaving = undefined;
  element("problem").hidden = true;
  element("name").textContent = "";
  element("sessions").replaceChildren();
  element("answer").textContent = "nothing yet";
  load();
});
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
const LEAVING = { now: "Signing out…", failed: "You are signed out on this page only." };
/** A sign-out that is under way, or has failed: one of `LEAVING`. */
let leaving;

function show() {
  const { status } = session.state;
  element("status").textContent = LEAVING[leaving] ?? TEXTS[status];
  const signedIn = status === "active" || status === "stale" || status === "unreachable";
  element("signed-out").hidden = status !== "signed-out" || leaving === "now";
  element("sign-out-again").hidden = leaving !== "failed";
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

/** Shows who is signed in, and where else. */
async function showAll() {
  const asked = signIns;
  const [me, { sessions }] = await Promise.all([call(`${service}/v1/me`), call(`${service}/v1/sessions`)]);
  // What was asked before somebody signed in may be of somebody else.
  if (asked !== signIns) return;
  element("name").textContent = me.claims.name ?? me.username ?? me.sub;
  element("sessions").replaceChildren(...sessions.map(sessionLine));
}

function load() {
  loading = showAll().catch(problem).finally(show);
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
  if (current) return signOut();
  await call(`${service}/v1/sessions/${encodeURIComponent(id)}`, { method: "DELETE" });
  note("Ended another session.");
  await showAll();
}

async function callApi() {
  const asked = signIns;
  const { greeting } = await call(`${api}/greeting`);
  if (asked !== signIns) return;
  element("answer").textContent = `${greeting} (${new Date().toLocaleTimeString()})`;
}

/** Signs out. If that fails the cookie is still there, and whoever loads the page anew is signed in by it. */
async function signOut({ everywhere = false } = {}) {
  leaving = "now";
  show();
  try {
    await session.signOut({ everywhere });
    leaving = undefined;
  } catch (error) {
    const wasOver = error.isSignedOut?.();
    leaving = wasOver ? undefined : "failed";
    // Only who is signed in can end the other sessions: what is tried again is the end of this one.
    const others = everywhere ? "your other sessions may go on: sign in to end them" : "";
    if (wasOver && everywhere) throw new Error(others, { cause: error });
    if (error.code !== "unavailable") throw error;
    const again = "the sign-out did not reach the service. Please try again";
    throw new Error(others ? `${again}; ${others}` : again, { cause: error });
  }
}

// --- what the person does -------------------------------------------------------------------------

/** Does something for a button, which cannot be pressed again meanwhile, and tells what went wrong. */
async function act(button, does) {
  element("problem").hidden = true;
  button.disabled = true;
  try {
    await does();
  } catch (error) {
    problem(error);
  } finally {
    button.disabled = false;
    show();
  }
}

function problem(error) {
  // That nobody is signed in is told by the page itself.
  if (error.isSignedOut?.()) return;
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
    await loading;
    element("who-title").focus();
  });
});
element("call").addEventListener("click", ({ currentTarget }) => act(currentTarget, callApi));
for (const id of ["sign-out", "sign-out-again"]) {
  element(id).addEventListener("click", ({ currentTarget }) => act(currentTarget, signOut));
}
element("sign-out-everywhere").addEventListener("click", ({ currentTarget }) =>
  act(currentTarget, () => signOut({ everywhere: true })),
);
setInterval(() => {
  if (element("keep-calling").checked) act(element("call"), callApi);
}, 5000);

// --- the beginning --------------------------------------------------------------------------------

show();
// Only the service knows whether this browser is signed in: the first call tells.
load();
