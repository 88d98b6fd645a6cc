// The real service, as a process of its own on a folder of its own. Without its binary the tests fail.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { until } from "./clock.js";

const PASSWORD = "correct horse battery staple";
const root = resolve(new URL(".", import.meta.url).pathname, "../../../../..");
const binary = resolve(process.env["DAYPASS_BINARY"] ?? join(root, "target/debug/daypass"));

export interface Pair {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly session_id: string;
}

export class Daypass {
  #process: ChildProcess | undefined;

  private constructor(
    readonly url: string,
    readonly feedSecret: string,
    readonly folder: string,
    readonly environment: NodeJS.ProcessEnv,
  ) {}

  /** Runs a test against a service that signs with this algorithm. */
  static async with(algorithm: string, act: (service: Daypass) => Promise<void>): Promise<void> {
    if (!existsSync(binary)) throw new Error("there is no daypass binary: build it, or set DAYPASS_BINARY");
    const folder = mkdtempSync(join(tmpdir(), "daypass-verify-"));
    const port = await freePort();
    const environment = {
      // The service refuses variables of its name that it does not know.
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DAYPASS_"))),
      DAYPASS_DATA: join(folder, "data"),
      DAYPASS_LISTEN: `127.0.0.1:${port}`,
      DAYPASS_TOKENS__ALGORITHM: algorithm,
      DAYPASS_KEYS__PUBLISH_AHEAD: "1s",
    };
    const run = (args: string[], input = "") =>
      execFileSync(binary, args, {
        cwd: folder,
        env: environment,
        input,
        stdio: ["pipe", "pipe", "ignore"],
      }).toString();
    run(["user", "add", "ada", "--password-stdin", "--scope", "orders"], PASSWORD);
    const client = JSON.parse(run(["client", "add", "api", "--scope", "daypass:feed", "--json"]));
    const service = new Daypass(`http://127.0.0.1:${port}`, client.client_secret, folder, environment);
    try {
      await service.start();
      await act(service);
    } finally {
      await service.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async start(): Promise<void> {
    this.#process = spawn(binary, ["serve"], { cwd: this.folder, env: this.environment, stdio: "ignore" });
    const ready = async () => (await fetch(`${this.url}/readyz`).catch(() => undefined))?.ok === true;
    await until(ready, "the service");
  }

  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
  }

  async signIn(): Promise<Pair> {
    return (await this.#post("/v1/login", { username: "ada", password: PASSWORD })).json() as Promise<Pair>;
  }

  async signOut(pair: Pair): Promise<void> {
    await this.#post("/v1/logout", { refresh_token: pair.refresh_token });
  }

  async #post(path: string, body: unknown): Promise<Response> {
    const headers = { "content-type": "application/json" };
    const response = await fetch(this.url + path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return response;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
