// The example in a real browser: sign in, call, reload, renew, end another session, sign out.
//
// Needs Chromium (CHROMIUM, or /usr/bin/chromium) and the service's program (DAYPASS_BINARY, or a built one).
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("..", import.meta.url));
const chromiumPath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const folder = mkdtempSync(join(tmpdir(), "daypass-web-"));
const PASSWORD = "correct horse battery staple";
let env;
let started;
let context;
let url;
let apiUrl;

before(async () => {
  if (!existsSync(chromiumPath)) throw new Error("there is no Chromium: install it, or set CHROMIUM");
  const [pagePort, apiPort, servicePort] = await freePorts(3);
  url = `http://localhost:${pagePort}`;
  apiUrl = `http://localhost:${apiPort}`;
  const ports = { PAGE_PORT: `${pagePort}`, API_PORT: `${apiPort}`, SERVICE_PORT: `${servicePort}` };
  env = { ...process.env, ...ports, DATA: join(folder, "data") };
  started = await start(env);
  context = await chromium.launchPersistentContext(join(folder, "browser"), {
    executablePath: chromiumPath,
    headless: true,
    viewport: { width: 900, height: 1100 },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});

after(async () => {
  await context?.close();
  if (started?.exitCode === null) await stop(started, "SIGTERM");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

// Each test begins with nobody signed in.
beforeEach(() => context.clearCookies());

/** Starts the example, with whatever Node is told besides. */
async function start(env, ...options) {
  const example = spawn(process.execPath, [...options, "start.mjs"], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve, reject) => {
    let said = "";
    example.stdout.on("data", (piece) => {
      said += piece;
      if (said.includes("Open http")) resolve();
    });
    example.once("exit", (code) => reject(new Error(`the example ended with ${code}`)));
  });
  return example;
}

async function stop(example, signal) {
  const ended = new Promise((resolve) => example.once("exit", resolve));
  example.kill(signal);
  return ended;
}

async function enter(page, username, password) {
  await page.getByLabel("Name").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function signIn(page) {
  await enter(page, "ada", PASSWORD);
  await page.getByRole("heading", { name: "You are Ada Lovelace" }).waitFor();
}

/** A page, and what its console had to complain about. */
async function open() {
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.goto(url);
  return { page, complaints };
}

test("sign in, call, reload and stay signed in, end another session, sign out", async () => {
  const { page, complaints } = await open();
  await page.getByText("You are signed out.").waitFor();
  await enter(page, "ada", "wrong");
  await page.getByText("Name or password is wrong.").waitFor();
  await signIn(page);
  assert.equal(await page.getByRole("alert").isVisible(), false);

  await page.getByRole("button", { name: "Call the API" }).click();
  await page.getByText("Hello, Ada Lovelace.").waitFor();
  await screenshot(page, "signed-in");

  // No script can read a token: neither in the page's storage nor in its cookies.
  assert.deepEqual(await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]), [
    "",
    0,
    0,
  ]);

  await page.reload();
  await page.getByRole("heading", { name: "You are Ada Lovelace" }).waitFor();
  await page.getByRole("button", { name: "Call the API" }).click();
  await page.getByText("Hello, Ada Lovelace.").waitFor();
  assert.notEqual(await page.locator("#renewals").textContent(), "0", "the reload renewed");

  // Somebody else's browser, and the end of its session from here.
  const token = await signInElsewhere();
  await page.reload();
  const others = page.getByRole("button", { name: /^End the session of another program/ });
  await others.first().waitFor();
  assert.equal((await callApi(token)).status, 200);
  await others.first().click();
  await page.getByText("Ended another session.").waitFor();
  await until(async () => (await callApi(token)).status === 401, "the refusal at the API");

  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.getByText("You are signed out.").waitFor();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.reload();
  await page.getByText("You are signed out.").waitFor();
  await screenshot(page, "signed-out");
  // The browser itself notes each answer that is no success: the wrong password, and the two that told "signed out".
  assert.deepEqual(
    complaints.filter((text) => !/status of (400|401)/.test(text)),
    [],
  );
  await page.close();
});

test("an access token that has expired is renewed in passing, in the middle of calls", async () => {
  const { page } = await open();
  await signIn(page);
  await page.getByRole("button", { name: "Call the API" }).click();
  await page.getByText("Hello, Ada Lovelace.").waitFor();
  const before = Number(await page.locator("#renewals").textContent());
  // The page's clock goes on by a minute: its access token lives for half of that.
  await page.clock.install();
  await page.clock.fastForward(60_000);
  await page.getByRole("button", { name: "Call the API" }).click();
  await page.waitForFunction((count) => Number(document.getElementById("renewals").textContent) > count, before);
  assert.equal(await page.getByRole("alert").isVisible(), false);
  await page.close();
});

test("a tab shows who has signed in by another one", async () => {
  addUser("grace", "Grace Hopper");
  const { page } = await open();
  await signIn(page);
  await page.getByRole("button", { name: "Call the API" }).click();
  await page.getByText("Hello, Ada Lovelace.").waitFor();
  const { page: other } = await open();
  await other.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.getByText("You are signed out.").waitFor();
  await enter(other, "grace", PASSWORD);
  await page.getByRole("heading", { name: "You are Grace Hopper" }).waitFor();
  await page.getByText("(this one)").waitFor();
  assert.equal(await page.locator("#answer").textContent(), "nothing yet");
  await other.close();
  await page.close();
});

test("a sign-in and a sign-out that do not reach the service are told, and can be tried again", async () => {
  const { page } = await open();
  await page.getByText("You are signed out.").waitFor();
  await stop(started, "SIGTERM");
  await enter(page, "ada", PASSWORD);
  await page.getByText("That did not work: the service is unreachable.").waitFor();
  started = await start(env);
  await signIn(page);
  assert.equal(await page.getByRole("alert").isVisible(), false);

  await stop(started, "SIGTERM");
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await page.getByText("Signing out…").waitFor();
  await giveUp(page);
  await page.getByText("You are signed out on this page only.").waitFor();
  started = await start(env);
  await page.getByRole("button", { name: "Sign out again" }).click();
  await page.getByText("You are signed out.").waitFor();
  assert.equal(await page.getByRole("alert").isVisible(), false);
  // The cookie is gone.
  await page.reload();
  await page.getByText("You are signed out.").waitFor();

  await signIn(page);
  await stop(started, "SIGTERM");
  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await giveUp(page);
  await page.getByText("Your other sessions may go on").waitFor();
  started = await start(env);
  // The cookie is still there.
  await page.reload();
  await page.getByRole("heading", { name: "You are Ada Lovelace" }).waitFor();
  await page.close();
});

test("who signs out everywhere with a session that is over is told of the others", async () => {
  const { page } = await open();
  await signIn(page);
  daypass(["session", "revoke", "--user", "ada"]);
  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByText("your other sessions may go on").waitFor();
  await page.getByText("You are signed out.").waitFor();
  await page.close();
});

/** Lets the page's time pass until it tells that a sign-out was in vain. */
async function giveUp(page) {
  const told = page.getByText(/the sign-out did not reach the service. Please try again/);
  await page.clock.install();
  await until(async () => {
    await page.clock.runFor(500);
    return told.isVisible();
  }, "the end of a sign-out in vain");
  await page.clock.resume();
}

test("no request ends the page's process or the API's", async () => {
  const paths = ["//", "///", "http://[", "http://", "*", "/%", "/%00.js", "/..%2f..%2fpage.mjs", "foo:", "data:x.js"];
  for (const [origin, expected] of [
    [url, /^40[04]$|^200$/],
    [apiUrl, /^40[014]$/],
  ]) {
    for (const path of paths) assert.match(`${await statusOf(origin, path)}`, expected, path);
  }
  assert.equal(await statusOf(url, "//"), 400);
  assert.equal(await statusOf(url, "/"), 200);
  assert.equal(started.exitCode, null);
});

test("the service ends with the example, also when that ends by an error", async () => {
  const [PAGE_PORT, API_PORT, SERVICE_PORT] = (await freePorts(3)).map(String);
  const others = { ...env, PAGE_PORT, API_PORT, SERVICE_PORT, DATA: join(folder, "others") };
  const thrower = 'process.on("SIGUSR2", () => { throw new Error("on purpose"); })';
  const example = await start(others, "--import", `data:text/javascript,${encodeURIComponent(thrower)}`);
  const answers = () =>
    fetch(`http://localhost:${SERVICE_PORT}/readyz`).then(
      () => true,
      () => false,
    );
  assert.equal(await answers(), true);
  assert.notEqual(await stop(example, "SIGUSR2"), 0);
  await until(async () => !(await answers()), "the service's end");
});

function addUser(username, name) {
  daypass(["user", "add", username, "--password-stdin", "--claims", JSON.stringify({ name })], PASSWORD);
}

/** Runs a command of the service beside it. */
function daypass(args, input = "") {
  const built = ["release", "debug"].map((kind) => join(root, "../../target", kind, "daypass"));
  const program = [process.env["DAYPASS_BINARY"], ...built].find((path) => path && existsSync(path));
  execFileSync(program, [...args, "--data", join(env.DATA, "service")], { input, cwd: folder, env: {} });
}

/** The answer to a path as it is, which `fetch` would tidy up. */
function statusOf(origin, path) {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin);
    const asked = request({ hostname, port, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.once("error", reject).end();
  });
}

async function signInElsewhere() {
  const service = (await (await fetch(`${url}/settings.js`)).text()).match(/"service":"([^"]+)"/)[1];
  const body = JSON.stringify({ username: "ada", password: PASSWORD });
  const headers = { "content-type": "application/json", "user-agent": "elsewhere" };
  return (await (await fetch(`${service}/v1/login`, { method: "POST", headers, body })).json()).access_token;
}

const callApi = (token) => fetch(`${apiUrl}/greeting`, { headers: { authorization: `Bearer ${token}` } });

async function screenshot(page, name) {
  if (process.env["SCREENSHOTS"])
    await page.screenshot({ path: join(process.env["SCREENSHOTS"], `${name}.png`), fullPage: true });
}

async function until(so, what) {
  const deadline = Date.now() + 30_000;
  while (!(await so())) if (Date.now() > deadline) throw new Error(`${what} never came`);
}

async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve) => {
          const server = createServer().listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
