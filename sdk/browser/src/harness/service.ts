// The built service as a process: people added, started, killed and started again, and its own figures read.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { soon, until } from "./until.js";

/** Everybody's password. */
export const PASSWORD = "a passphrase for everybody";

/** Below the ports that the system gives to clients, or one of them might take it while the service is down. */
const PORTS = { first: 20_000, count: 12_000 };

const REPOSITORY = fileURLToPath(new URL("../../../../../", import.meta.url));

/** What became of refreshes, by the service's own count since it was started. */
export type Outcome =
  | "rotated"
  | "repeated"
  | "healed"
  | "mismatch"
  | "reused"
  | "expired"
  | "revoked"
  | "superseded"
  | "unknown"
  | "wrong_client"
  | "invalid"
  | "unavailable";

/** What the service counts. */
export interface Figures {
  refresh: Record<Outcome, number>;
  /** Theft alarms. */
  reuse: number;
}

/** How a service is set up. */
export interface ServiceOptions {
  /** Where clients find it: the fault proxy. */
  issuer: string;
  /** Where it has its files. */
  folder: string;
  /** Pages on these may call. */
  allowedOrigins: string[];
  /** Further settings, by the names of environment variables. */
  settings?: Record<string, string>;
}

/** The service. */
export class Service {
  #child: ChildProcess | undefined;
  #alarms = 0;

  private constructor(
    private readonly options: ServiceOptions,
    readonly port: number,
  ) {}

  /** A service that has its people and does not run yet. */
  static async prepare(options: ServiceOptions, people: string[]): Promise<Service> {
    const service = new Service(options, await freePort());
    for (const person of people) await service.command(["user", "add", person, "--password-stdin"], PASSWORD);
    return service;
  }

  /** Where it listens itself, without the fault proxy. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it and waits until it is ready. */
  async start(): Promise<void> {
    const log = openSync(this.#log, "a");
    const child = spawn(binary(), ["serve", "--listen", `127.0.0.1:${this.port}`], {
      ...this.#surroundings(),
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#child = child;
    await until("the service is ready", async () => {
      if (child.exitCode !== null) throw new Error(`the service ended: ${readFileSync(this.#log, "utf8")}`);
      return fetch(`${this.url}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
    });
  }

  /** How many thefts it has noticed, also before it was killed. */
  async alarms(): Promise<number> {
    return this.#alarms + (await this.figures()).reuse;
  }

  /** Kills it as the kernel would that has no memory left. */
  async kill(): Promise<void> {
    this.#alarms = await this.alarms();
    await this.#end("SIGKILL");
  }

  /** Asks it to leave. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** What it has counted since it was started. */
  async figures(): Promise<Figures> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const refresh: Partial<Record<Outcome, number>> = {};
    for (const [, outcome, count] of text.matchAll(/^daypass_refresh_total\{outcome="(\w+)"\} (\d+)$/gm)) {
      refresh[outcome as Outcome] = Number(count);
    }
    const reuse = /^daypass_reuse_total (\d+)$/m.exec(text)?.[1];
    if (refresh.rotated === undefined || reuse === undefined) throw new Error("the service does not count refreshes");
    return { refresh: refresh as Record<Outcome, number>, reuse: Number(reuse) };
  }

  /** What it has logged. */
  log(): string {
    return readFileSync(this.#log, "utf8");
  }

  get #log(): string {
    return path.join(this.options.folder, "service.log");
  }

  /** Nothing of this process's own configuration, and the test's. */
  #surroundings(): { cwd: string; env: NodeJS.ProcessEnv } {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DAYPASS_")));
    return {
      cwd: this.options.folder,
      env: {
        ...env,
        NO_COLOR: "1",
        DAYPASS_DATA: path.join(this.options.folder, "data"),
        DAYPASS_ISSUER: this.options.issuer,
        DAYPASS_ALLOWED_ORIGINS: this.options.allowedOrigins.join(","),
        ...this.options.settings,
      },
    };
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await soon("the service is gone", gone);
  }

  /** How many live sessions somebody has, by its store. */
  async sessions(person: string): Promise<number> {
    return (await this.command(["session", "list", person, "--json"], "")).match(/"id":/g)?.length ?? 0;
  }

  async command(words: string[], input: string): Promise<string> {
    const child = spawn(binary(), words, { ...this.#surroundings(), stdio: ["pipe", "pipe", "pipe"] });
    let [said, told] = ["", ""];
    child.stdout.on("data", (data: Buffer) => (said += data.toString()));
    child.stderr.on("data", (data: Buffer) => (told += data.toString()));
    child.stdin.on("error", () => undefined).end(input);
    const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
    if (code !== 0) throw new Error(`daypass ${words.join(" ")}: ${told}`);
    return said;
  }
}

/** The program under test. A missing one is an error: a test that is skipped shows nothing. */
function binary(): string {
  return process.env["DAYPASS_BINARY"] ?? path.join(REPOSITORY, "target/debug/daypass");
}

/** A port that stays free while nobody uses it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer().once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}
