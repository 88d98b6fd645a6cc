// Starts everything: the service, the API and the page. `npm start`, and Ctrl-C to end it.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { api, data, here, page, person, ports, service } from "./settings.mjs";

const repository = join(here, "../..");

/** Builds the two packages and installs what this folder needs, where that was not done before. */
function prepare() {
  const sdk = join(repository, "sdk");
  const npm = (folder, ...args) => execFileSync("npm", args, { cwd: folder, stdio: "inherit" });
  if (!existsSync(join(sdk, "node_modules"))) npm(sdk, "ci");
  for (const name of ["typescript", "verify"]) {
    if (!existsSync(join(sdk, name, "dist"))) npm(join(sdk, name), "run", "build");
  }
  if (!existsSync(join(here, "node_modules"))) npm(here, "install");
}

/** The service's program: named, or as the repository builds it. */
function findDaypass() {
  const built = ["release", "debug"].map((kind) => join(repository, "target", kind, "daypass"));
  const found = [process.env["DAYPASS_BINARY"], ...built].find((path) => path && existsSync(path));
  if (found !== undefined) return found;
  console.error("There is no daypass program. Build it at the top of the repository: cargo build -p daypass");
  process.exit(1);
}

/** What the service is told. It refuses variables of its name that it does not know. */
function environment() {
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith("DAYPASS_"));
  return {
    ...Object.fromEntries(others),
    DAYPASS_DATA: join(data, "service"),
    DAYPASS_LISTEN: `127.0.0.1:${ports.service}`,
    DAYPASS_ISSUER: service,
    DAYPASS_ALLOWED_ORIGINS: page,
    // So short that renewals can be watched. Leave it out, and it is ten minutes.
    DAYPASS_TOKENS__ACCESS: "30s",
    DAYPASS_LOG: "warn",
  };
}

/** At the first start: somebody who can sign in, and a client for the API to follow the list of ended sessions. */
function firstStart(daypass) {
  const secret = join(data, "feed-secret");
  if (!existsSync(secret)) {
    mkdirSync(data, { recursive: true });
    const run = (args, input = "") => execFileSync(daypass, args, { cwd: data, env: environment(), input }).toString();
    const { username, password } = person;
    run(["user", "add", username, "--password-stdin", "--claims", '{"name":"Ada Lovelace"}'], password);
    const client = JSON.parse(run(["client", "add", "api", "--scope", "daypass:feed", "--json"]));
    writeFileSync(secret, client.client_secret, { mode: 0o600 });
  }
  return readFileSync(secret, "utf8");
}

async function answers(url) {
  const deadline = Date.now() + 60_000;
  while (
    !(await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (Date.now() > deadline) throw new Error(`${url} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

prepare();
const daypass = findDaypass();
const feedSecret = firstStart(daypass);
const running = spawn(daypass, ["serve"], { cwd: data, env: environment(), stdio: "inherit" });
// However this process ends, the service does not stay behind.
process.once("exit", () => running.kill());
const { createApi } = await import("./api.mjs");
const { createPage } = await import("./page.mjs");
const protectedApi = createApi({ service, audience: service, pageOrigin: page, feedSecret });
const servers = [protectedApi.app.listen(ports.api, "localhost"), createPage().listen(ports.page, "localhost")];

let ending = false;
function end(code) {
  if (ending) return;
  ending = true;
  protectedApi.close();
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  process.exitCode = code;
  running.kill("SIGTERM");
}
running.once("exit", (code) => end(code ?? 1));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => end(0));
for (const server of servers) {
  server.once("error", (error) => {
    console.error(`A port is taken: ${error.message}`);
    end(1);
  });
}

await answers(`${service}/readyz`);
await answers(`${api}/ready`);
console.log(`\nOpen ${page} and sign in as "${person.username}" with "${person.password}".`);
console.log(`The API is ${api}, the service ${service}. Ctrl-C ends all three.`);
