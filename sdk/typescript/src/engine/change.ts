// Who is signed in: signing in and signing out.

import { type SessionError, unavailable } from "../errors.js";
import type { Moment } from "../policy.js";
import { renewed, type SessionRecord } from "../record.js";
import { readLogin } from "../wire/answer.js";
import type { Pair } from "../wire/pair.js";
import { type Credentials, endAllRequest, loginRequest } from "../wire/request.js";
import {
  currentOf,
  type Engine,
  exchange,
  hold,
  load,
  nobodys,
  noteClock,
  now,
  overtake,
  reachable,
  signOut as signedOut,
  tell,
} from "./engine.js";
import { accessToken, lock } from "./renewal.js";
import { attempt, insist, logOut, logOutBehind } from "./tries.js";

/** How long a sign-in may take, in milliseconds: passwords are slow to check, on purpose. */
const SIGN_IN_LIMIT = 20_000;

/**
 * Signs in, and replaces whoever was signed in: that session is ended at the service once the new one is stored, if its
 * refresh token is at hand. By cookie it is not: the new cookie takes its place.
 */
export function signIn(engine: Engine, credentials: Credentials): Promise<void> {
  return inTurn(engine, async () => {
    // An answer to a renewal of the old session, here or in another tab, would put its cookie over the new one.
    if (engine.transport === "cookie") overtake(engine);
    const release = await lock(engine);
    try {
      const { service, transport, client_id } = engine;
      const asked = now(engine);
      const request = loginRequest(service, transport, credentials, client_id);
      const reply = await attempt(engine, request, undefined, SIGN_IN_LIMIT);
      if (!reply) throw unavailable();
      const pair = readLogin(reply, transport);
      reachable(engine);
      await install(engine, pair, asked);
    } finally {
      release?.();
    }
  });
}

/** Writes a pair that was asked for at `asked`, makes it the one that is used, and ends the session before. */
async function install(engine: Engine, pair: Pair, asked: Moment): Promise<void> {
  const record = renewed(nobodys(engine), pair, asked.wall);
  try {
    for (;;) {
      const before = await load(engine);
      const { done, stored } = await exchange(engine, before.version, record);
      if (!done) continue;
      const old = [before.record, engine.unwritten ?? engine.record];
      overtake(engine);
      engine.ended = undefined;
      hold(engine, record, stored.version, currentOf(engine, record, asked));
      noteClock(engine, record);
      for (const token of tokens(old, record)) logOutBehind(engine, token);
      return;
    }
  } catch (error) {
    // A session that nobody could renew.
    logOutBehind(engine, record.refresh_token);
    throw error;
  }
}

/** Signs out: in memory, in the store, and at the service. */
export function signOut(engine: Engine, everywhere: boolean): Promise<void> {
  return inTurn(engine, async () => {
    let failure: unknown;
    const tried = <T>(work: Promise<T>, all = false) =>
      work.catch((error: unknown) => {
        // A session that was over anyway is what was wanted. It says nothing of the others.
        failure ??= !all && (error as Partial<SessionError>).isSignedOut?.() ? undefined : error;
        return null;
      });
    // While there is somebody to ask in the name of.
    const token = everywhere && (await tried(accessToken(engine, {}), true));
    const held = engine.unwritten ?? engine.record;
    // First of all nobody gets a token any more.
    overtake(engine);
    if (!engine.out) signedOut(engine, "signed_out");
    tell(engine);
    // The page may be left as soon as that is known.
    const all = token && tried(insist(engine, endAllRequest(engine.service, token)), true);
    const there = await tried(remove(engine));
    await all;
    const ends = engine.transport === "cookie" ? [undefined] : tokens([there, held]);
    for (const token of ends) await tried(logOut(engine, token, undefined, held?.session_id));
    if (failure) throw failure;
  });
}

/** Removes whatever session the store holds, if it is of this service, and returns it. */
async function remove(engine: Engine): Promise<SessionRecord | null> {
  for (;;) {
    const { record, version } = await load(engine);
    if (!record || (await exchange(engine, version, null)).done) return record;
  }
}

/** A token of each session but one: any generation ends it. */
function tokens(records: readonly (SessionRecord | null | undefined)[], except?: SessionRecord): Iterable<string> {
  const found = new Map<string, string>();
  for (const record of records) if (record?.refresh_token) found.set(record.session_id, record.refresh_token);
  found.delete(except?.session_id ?? "");
  return found.values();
}

/** One change of who is signed in at a time, so that memory and store agree on the order. */
function inTurn(engine: Engine, work: () => Promise<void>): Promise<void> {
  const turn = engine.changing.then(work).finally(() => tell(engine));
  engine.changing = turn.catch(() => undefined);
  return turn;
}
