// A Node program that shares a session with others of its kind by a file.

import { type FileHandle, open, readFile, rm } from "node:fs/promises";

import { createSession, type Session } from "@daypass/client";
import { fileStore } from "@daypass/client/node";

import { fastClock } from "../fast.js";
import { Dice } from "../harness/dice.js";
import { type Arguments, type Ask, Caller, type Tell } from "./report.js";

/** Lives until nobody wants it any more. The answer is its exit code. */
export async function nodeClient(given: Arguments, tell: Tell, leave: Promise<void>): Promise<number> {
  const { service, store, user, password, fast } = given;
  const session = createSession({
    baseUrl: service,
    allowedOrigins: [],
    transport: "token",
    store: fileStore(`${store}.node`),
    environment: fastClock(fast),
  });
  const ask: Ask = (rejected) =>
    session.getAccessToken(rejected === undefined ? {} : { rejected }).then(
      (token) => ({ token, took: 0 }),
      (error: Error & { code?: string }) => ({ error: error.code ?? error.name, message: error.message, took: 0 }),
    );
  const caller = new Caller(new Dice(given.seed), fast, tell);
  const calls = async (): Promise<number> => {
    if (!given.signedIn) await signInOnce(session, ask, caller, `${store}.signing-in`, { username: user, password });
    while (await caller.call(ask));
    return 1;
  };
  return Promise.race([leave.then(() => 0), calls()]);
}

/** Signs in if nobody has yet: one of those who share the store does, and the others wait for it. */
async function signInOnce(
  session: Session,
  ask: Ask,
  caller: Caller,
  claim: string,
  person: { username: string; password: string },
): Promise<void> {
  for (;;) {
    const { error } = await ask(undefined);
    if (error !== "signed_out") return;
    const mine = await claimed(claim);
    if (mine) {
      try {
        // Whoever had the claim before may have signed in meanwhile.
        if ((await ask(undefined)).error !== "signed_out") return;
        return await session.signIn(person);
      } catch (error) {
        if ((error as { code?: string }).code !== "unavailable") throw error;
      } finally {
        await rm(claim, { force: true });
        await mine.close();
      }
    }
    await caller.sleep(500);
  }
}

/** Claims the sign-in, unless somebody who lives has. */
async function claimed(claim: string): Promise<FileHandle | undefined> {
  try {
    const file = await open(claim, "wx");
    await file.writeFile(String(process.pid));
    return file;
  } catch {
    const owner = Number(await readFile(claim, "utf8").catch(() => ""));
    // Who has just made the file has not written to it yet.
    if (owner > 0 && !isAlive(owner)) await rm(claim, { force: true });
    return undefined;
  }
}

function isAlive(process_: number): boolean {
  try {
    return process.kill(process_, 0);
  } catch {
    return false;
  }
}
