// The built service as a process, on a free port with a folder of its own.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const PASSWORD = "a passphrase for everybody";

export class Binary {
  private child: ChildProcess | undefined;

  private constructor(
    readonly origin: string,
    readonly folder: string,
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  /** Starts it with a person called ada. Without a binary there is no test, and that is a failure. */
  static async start(environment: NodeJS.ProcessEnv = {}): Promise<Binary> {
    if (!existsSync(path())) throw new Error(`there is no service at ${path()}: build it, or set DAYPASS_BINARY`);
    const folder = mkdtempSync(join(tmpdir(), "daypass-client-"));
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("DAYPASS_"));
    const all = { ...Object.fromEntries(own), NO_COLOR: "1", DAYPASS_TOKENS__ACCESS: "1s", ...environment };
    const binary = new Binary(`http://127.0.0.1:${await freePort()}`, folder, all);
    execFileSync(path(), ["--data", join(folder, "data"), "user", "add", "ada", "--password-stdin"], {
      cwd: folder,
      env: all,
      input: PASSWORD,
      stdio: ["pipe", "ignore", "pipe"],
    });
    await binary.serve();
    return binary;
  }

  async serve(): Promise<void> {
    const log = openSync(join(this.folder, "service.log"), "a");
    const listen = this.origin.slice("http://".length);
    this.child = spawn(path(), ["--data", join(this.folder, "data"), "serve", "--listen", listen], {
      cwd: this.folder,
      env: this.environment,
      stdio: ["ignore", log, log],
    });
    while (
      !(await fetch(`${this.origin}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ))
    ) {
      if (this.child.exitCode !== null) throw new Error(`the service ended; its log is in ${this.folder}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (!child) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** How many renewals the service has made, by outcome. */
  async renewals(outcome: string): Promise<number> {
    const text = await (await fetch(`${this.origin}/metrics`)).text();
    const line = text.split("\n").find((line) => line.startsWith(`daypass_refresh_total{outcome="${outcome}"}`));
    return Number(line?.split(" ")[1] ?? 0);
  }
}

function path(): string {
  return (
    process.env["DAYPASS_BINARY"] ?? fileURLToPath(new URL("../../../../../target/debug/daypass", import.meta.url))
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
