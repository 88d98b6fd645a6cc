// The example in a real browser: sign in, call, reload, renew, end another session, sign out.
//
// Needs Chromium (CHROMIUM, or /usr/bin/chromium) and the service's program (DAYPASS_BINARY, or a built one).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("..", import.meta.url));
const chromiumPath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const folder = mkdtempSync(join(tmpdir(), "daypass-web-"));
const PASSWORD = "correct horse battery staple";
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
  const env = { ...process.env, ...ports, DATA: join(folder, "data") };
  started = spawn(process.execPath, ["start.mjs"], { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve, reject) => {
    let said = "";
    started.stdout.on("data", (piece) => {
      said += piece;
      if (said.includes("Open http")) resolve();
    });
    started.once("exit", (code) => reject(new Error(`the example ended with ${code}`)));
  });
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
  if (started?.exitCode === null) {
    const ended = new Promise((resolve) => started.once("exit", resolve));
    started.kill("SIGTERM");
    await ended;
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function signIn(page) {
  await page.getByLabel("Name").fill("ada");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
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
  await page.getByLabel("Name").fill("ada");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
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
