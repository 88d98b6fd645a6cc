// The programs for the chaos harness: they renew, share a session, survive kills, report, and leave when asked.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { freePort, PASSWORD } from "../src/harness/service.js";
import { soon, until } from "../src/harness/until.js";
import { World } from "../src/harness/world.js";

const PROGRAM = fileURLToPath(new URL("../src/chaos-client.js", import.meta.url));

let world: World;
let pagePort: number;
before(async () => {
  pagePort = await freePort();
  world = await World.open({ DAYPASS_TOKENS__ACCESS: "1s" }, [`http://127.0.0.1:${pagePort}`]);
});
after(() => world.close());

/** A program, as the harness starts it. */
class Program {
  readonly reports: unknown[] = [];
  readonly #child: ChildProcess;
  #errors = "";

  constructor(kind: string, store: string, seed: number, factor: number, service: string) {
    const own = [PROGRAM, kind, "--user", "ada", "--password", PASSWORD, "--page-port", String(pagePort)];
    const added = [
      "--service",
      service,
      "--store",
      world.folder(store),
      "--seed",
      String(seed),
      "--factor",
      String(factor),
      "--base",
      String(BigInt(Date.now()) * 1_000_000n),
    ];
    this.#child = spawn(process.execPath, [...own, ...added], { stdio: ["pipe", "pipe", "pipe"] });
    const { stdout, stderr } = this.#child;
    if (stdout) createInterface({ input: stdout }).on("line", (line) => this.reports.push(JSON.parse(line)));
    stderr?.on("data", (data: Buffer) => (this.#errors += data.toString()));
  }

  async renews(times: number): Promise<void> {
    await until(
      `it renews ${times} times (${this.#errors})`,
      () => this.count("renewed") >= times || this.isBad(),
      60_000,
    );
    assert.deepEqual(
      this.reports.filter((report) => typeof report !== "string"),
      [],
    );
  }

  count(report: string): number {
    return this.reports.filter((each) => each === report).length;
  }

  isBad(): boolean {
    return this.reports.some((report) => typeof report !== "string") || this.#child.exitCode !== null;
  }

  async leave(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin?.end();
    assert.equal(await soon("the program leaves", gone), 0, this.#errors);
  }

  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await soon("the program is gone", gone);
  }
}

test("Node programs share a session by a file, and are killed and started again", async () => {
  const start = (seed: number): Program => new Program("node", "family", seed, 10, world.proxy.url);
  const programs = [start(1), start(2)] as const;
  for (const program of programs) await program.renews(5);
  await programs[0].kill();
  const next = start(3);
  await next.renews(5);
  await programs[1].leave();
  await next.leave();
  assert.equal((await world.service.figures()).reuse, 0);
  assert.equal(await world.service.sessions("ada"), 1);
});

test("a browser with tabs that share a session by cookie", async () => {
  // The page is at 127.0.0.1, and so has the service to be.
  const program = new Program("browser", "browser", 4, 5, world.proxy.url.replace("localhost", "127.0.0.1"));
  await program.renews(30);
  await program.leave();
  assert.equal((await world.service.figures()).reuse, 0);
});
