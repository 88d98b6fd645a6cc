// A lock in a file's place, which the next one takes away if its holder is dead. A live holder's is never taken.

import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { link, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Release } from "../environment.js";

/** Who holds a lock. */
interface Holder {
  /** Names this holding, and never comes again. */
  readonly nonce: string;
  readonly pid: number;
  /** When the process was started, as the system counts it; empty where it does not tell. */
  readonly started: string;
  /** Where process ids mean the same. */
  readonly place: string;
}

/** How long to wait at least, and before asking again at most, in milliseconds. */
const PAUSE = 1;

/** What is awaited for a moment only is asked for more often than what is held for a request. */
export const FOR_A_WRITE = 4;
export const FOR_A_REQUEST = 32;

/** Waits up to `wait` milliseconds for a lock at `path`. It is asked for once in any case. */
export async function acquire(path: string, wait: number, longestPause: number): Promise<Release | null> {
  const until = performance.now() + wait;
  let pause = PAUSE;
  for (;;) {
    const release = await ask(path);
    if (release) return release;
    if (performance.now() >= until) return null;
    await sleep(pause);
    pause = Math.min(pause * 2, longestPause);
  }
}

async function ask(path: string): Promise<Release | null> {
  const nonce = randomBytes(16).toString("hex");
  const own = `${path}.${nonce}`;
  const holder: Holder = { nonce, pid: process.pid, started: await startOf("self"), place: await place() };
  try {
    // The name appears with all that is to be read there, or not at all.
    await writeFile(own, JSON.stringify(holder), { mode: 0o600, flag: "wx" });
    await link(own, path);
    return () => rmSync(path, { force: true });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    await takeAway(path);
    return null;
  } finally {
    await rm(own, { force: true });
  }
}

/**
 * Takes away the lock of a dead holder. Only who has the right to do so, which is a lock of its own for each holding,
 * looks once more and removes: nobody else can have removed what he sees.
 */
async function takeAway(path: string): Promise<void> {
  const dead = await readHolder(path);
  if (!dead || (await isAlive(dead))) return;
  const right = `${path}.${dead.nonce}.dead`;
  const release = await ask(right);
  if (!release) return;
  try {
    if ((await readHolder(path))?.nonce === dead.nonce) await rm(path, { force: true });
  } finally {
    await rm(right, { force: true });
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Holder;
  } catch {
    return undefined;
  }
}

/** Whoever cannot be judged from here is taken to be alive. */
async function isAlive({ pid, started, place: elsewhere }: Holder): Promise<boolean> {
  if (elsewhere !== (await place())) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
  // The number may be another's by now.
  const now = await startOf(String(pid));
  return started === "" || now === "" || now === started;
}

/** When a process was started, in ticks since the machine was. Zombies count as ended. */
async function startOf(pid: string): Promise<string> {
  try {
    const fields = (await readFile(`/proc/${pid}/stat`, "latin1")).split(") ").at(-1)?.split(" ") ?? [];
    return fields[0] === "Z" ? "ended" : (fields[19] ?? "");
  } catch {
    return "";
  }
}

/** The machine, its start and the space of its process ids. */
async function place(): Promise<string> {
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "latin1").catch(() => "");
  const space = await readlink("/proc/self/ns/pid").catch(() => "");
  return [hostname(), boot.trim(), space].join(" ");
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
