// Who is signed in: signing in and signing out.

import { webLock } from "../environment.js";
import { SessionError, unavailable } from "../errors.js";
import { renewed, type SessionRecord, sameSession } from "../record.js";
import { readLogin } from "../wire/answer.js";
import { type Credentials, endAllRequest, loginRequest } from "../wire/request.js";
import {
  currentOf,
  type Engine,
  exchange,
  hold,
  load,
  noteClock,
  now,
  overtake,
  reachable,
  signOut as signedOut,
  tell,
} from "./engine.js";
import { accessToken } from "./renewal.js";
import { attempt, gaveUp, logOut, logOutBehind, newTries, send } from "./tries.js";

/** How long a sign-in may take, in milliseconds: passwords are slow to check, on purpose. */
const SIGN_IN_LIMIT = 30_000;

/** How long to wait for a renewal of another tab's before the cookie is replaced under it, in milliseconds. */
const LOCK_WAIT = 5000;

/** Signs in, and replaces whoever was signed in: that session is ended at the service once the new one is stored. */
export function signIn(engine: Engine, credentials: Credentials): Promise<void> {
  return inTurn(engine, async () => {
    const { env, service, transport } = engine;
    if (transport === "token") return install(engine, credentials);
    // An answer to a renewal of the old session would put its cookie over the new one.
    overtake(engine);
    const release = await webLock(env, `daypass:${service}`, LOCK_WAIT);
    try {
      await install(engine, credentials);
    } finally {
      release?.();
    }
  });
}

/** Signs in, writes the pair, makes it the one that is used, and ends the session before. */
async function install(engine: Engine, credentials: Credentials): Promise<void> {
  const { env, service, transport, client_id } = engine;
  const asked = now(engine);
  const cut = new AbortController();
  const timer = env.setTimeout(() => cut.abort(), SIGN_IN_LIMIT);
  const request = loginRequest(service, transport, credentials, client_id);
  const reply = await send(engine, request, cut.signal).catch(() => undefined);
  env.clearTimeout(timer);
  if (!reply) throw unavailable();
  const pair = readLogin(reply, transport);
  reachable(engine);
  const record = renewed({ service, client_id, session_id: "", generation: 0, attempts: [] }, pair, asked.wall);
  try {
    let stored = await load(engine);
    for (;;) {
      const exchanged = await exchange(engine, stored.version, record);
      if (exchanged.done) {
        const before = [stored.record, engine.unwritten ?? engine.record];
        overtake(engine);
        engine.ended = undefined;
        hold(engine, record, exchanged.stored.version, currentOf(engine, record, asked, true));
        noteClock(engine, pair.server_time, asked.wall);
        for (const token of tokens(before, record)) logOutBehind(engine, token);
        return;
      }
      ({ stored } = exchanged);
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
    const tried = <T>(work: Promise<T>) =>
      work.catch((error: unknown) => {
        // A session that was over anyway is what was wanted.
        failure ??= error instanceof SessionError && error.isSignedOut() ? undefined : error;
        return null;
      });
    if (everywhere) await tried(endAll(engine));
    const held = engine.unwritten ?? engine.record;
    const leave = () => {
      overtake(engine);
      if (!engine.out) signedOut(engine, "signed_out");
      tell(engine);
    };
    // First of all nobody gets a token any more.
    leave();
    const there = await tried(remove(engine));
    // Somebody may have read it meanwhile who did not know of it before.
    leave();
    const ends = engine.transport === "cookie" ? [undefined] : tokens([there, held]);
    for (const token of ends) await tried(logOut(engine, token));
    if (failure) throw failure;
  });
}

/** Ends all sessions of whoever is signed in. */
async function endAll(engine: Engine): Promise<void> {
  const token = await accessToken(engine, {});
  const reply = await attempt(engine, newTries(engine), endAllRequest(engine.service, token));
  if (reply?.status !== 204) throw gaveUp(engine);
}

/** Removes whatever session the store holds, if it is of this service, and returns it. */
async function remove(engine: Engine): Promise<SessionRecord | null> {
  let stored = await load(engine);
  for (;;) {
    const { record, version } = stored;
    const exchanged = record && (await exchange(engine, version, null));
    if (!exchanged || exchanged.done) return record;
    ({ stored } = exchanged);
  }
}

/** A token of each session other than `except`'s: any generation ends it. */
function tokens(records: readonly (SessionRecord | null | undefined)[], except?: SessionRecord): string[] {
  const seen = except ? [except] : [];
  return records.flatMap((record) => {
    if (!record?.refresh_token || seen.some((other) => sameSession(other, record))) return [];
    seen.push(record);
    return [record.refresh_token];
  });
}

/** One change of who is signed in at a time, so that memory and store agree on the order. */
function inTurn(engine: Engine, work: () => Promise<void>): Promise<void> {
  const turn = engine.changing.then(work).finally(() => tell(engine));
  engine.changing = turn.catch(() => undefined);
  return turn;
}
