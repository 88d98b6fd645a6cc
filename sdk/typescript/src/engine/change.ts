// Who is signed in: signing in and signing out.

import { webLock } from "../environment.js";
import { config, SessionError, storeFailed, unavailable } from "../errors.js";
import { firstRecord, type SessionRecord, sameSession } from "../record.js";
import type { Stored } from "../store/store.js";
import { readLogin } from "../wire/answer.js";
import type { Pair } from "../wire/pair.js";
import { type Credentials, endAllRequest, loginRequest } from "../wire/request.js";
import type { Engine } from "./engine.js";
import type { Moment } from "../policy.js";
import { newest } from "./memory.js";
import { send, Tries } from "./tries.js";

/** How long a sign-in may take: passwords are slow to check, on purpose. */
const SIGN_IN_LIMIT = 30_000;

/** How often somebody else may write first while somebody signs in or out. */
const MOST_EXCHANGES = 64;

/** How long to wait for a renewal of another tab's before the cookie is replaced under it. */
const LOCK_WAIT = 5000;

/** Signs in, and replaces whoever was signed in: that session is ended at the service once the new one is stored. */
export async function signIn(engine: Engine, credentials: Credentials): Promise<void> {
  if (engine.transport === "token") {
    const asked = engine.now();
    const pair = await logIn(engine, credentials);
    await inTurn(engine, () => install(engine, pair, asked));
    return;
  }
  // An answer to a renewal of the old session would put its cookie over the new one.
  await inTurn(engine, async () => {
    stopFlight(engine);
    const release = await webLock(engine.env, `daypass:${engine.service}`, LOCK_WAIT);
    try {
      const asked = engine.now();
      await install(engine, await logIn(engine, credentials), asked);
    } finally {
      release?.();
      engine.tell();
    }
  });
}

/** Signs out: in memory, in the store, and at the service. */
export function signOut(engine: Engine, everywhere: boolean): Promise<void> {
  return inTurn(engine, async () => {
    const first = await outcome(() => (everywhere ? endAll(engine) : Promise.resolve()));
    const second = await outcome(() => leave(engine));
    if (second) throw second;
    if (first) throw first;
  });
}

/** Ends a session at the service as far as that can be done, while nobody waits for it. */
export function logOutBehind(engine: Engine, token: string): void {
  void new Tries(engine, engine.memory.backoff.copy()).logOut(token).catch(() => undefined);
}

async function logIn(engine: Engine, credentials: Credentials): Promise<Pair> {
  const { env, service, transport, clientId } = engine;
  const cut = new AbortController();
  const timer = env.setTimeout(() => cut.abort(), SIGN_IN_LIMIT);
  try {
    const request = loginRequest(service, transport, credentials, clientId);
    const reply = await send(engine, request, cut.signal).catch(() => undefined);
    if (!reply) throw unavailable();
    const pair = readLogin(reply, transport);
    engine.settle((memory) => memory.reachable());
    return pair;
  } finally {
    env.clearTimeout(timer);
  }
}

/** Writes a pair that was asked for at `asked`, makes it the one that is used, and ends the one before. */
async function install(engine: Engine, pair: Pair, asked: Moment): Promise<void> {
  const record = firstRecord(engine.service, engine.clientId, pair, asked.wall);
  const answered = engine.env.now();
  let version: string | undefined;
  let replaced: SessionRecord | null = null;
  try {
    let stored = await engine.load();
    while (version === undefined) {
      replaced = stored.record;
      const exchange = await engine.exchange(stored.version, record);
      if (exchange.done) ({ version } = exchange.stored);
      else stored = exchange.stored;
    }
  } catch (error) {
    // A session that nobody could renew.
    if (pair.refreshToken !== undefined) logOutBehind(engine, pair.refreshToken);
    throw error;
  }
  const { kept } = engine.memory;
  const before = kept && newest(kept);
  const current = engine.current(record, asked);
  const written = version;
  engine.memory.flight?.stop.abort();
  engine.settle((memory) => {
    memory.signIn(record, written, current);
    memory.noteClock(pair.serverTime, asked.wall, answered);
  });
  for (const token of tokens([replaced, before], record)) logOutBehind(engine, token);
}

/** Ends all sessions of whoever is signed in. */
async function endAll(engine: Engine): Promise<void> {
  const token = await engine.accessToken({});
  const tries = new Tries(engine, engine.memory.backoff.copy());
  const reply = await tries.attempt(endAllRequest(engine.service, token));
  // Refused: the session is over, or the token is; leaving says so.
  if (reply?.status !== 204) throw tries.unavailable();
}

async function leave(engine: Engine): Promise<void> {
  const { memory, transport } = engine;
  // First of all nobody gets a token any more.
  const { kept } = memory;
  const held = kept && newest(kept);
  stopFlight(engine);
  if (memory.known.is !== "out") engine.settle(() => memory.signOut("signed_out"));
  let stored: SessionRecord | null = null;
  let failure: unknown;
  try {
    stored = await removeAll(engine);
  } catch (error) {
    failure = error;
  }
  // Somebody may have read it meanwhile who did not know of it before.
  const read = memory.kept?.record;
  if (read && stored && sameSession(read, stored)) {
    stopFlight(engine);
    engine.settle(() => memory.signOut("signed_out"));
  }
  const ends = transport === "cookie" ? [undefined] : tokens([stored, held]);
  for (const token of ends) {
    try {
      await new Tries(engine, memory.backoff.copy()).logOut(token);
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}

/** Removes whatever session the store holds, if it is of this service, and returns it. */
async function removeAll(engine: Engine): Promise<SessionRecord | null> {
  let stored: Stored = await engine.load();
  for (let i = 0; i < MOST_EXCHANGES; i++) {
    const { record, version } = stored;
    if (!record) return null;
    const exchange = await engine.exchange(version, null);
    if (exchange.done) return record;
    ({ stored } = exchange);
  }
  throw storeFailed(config("the store is written to all the time"));
}

/** What a renewal under way brings is not wanted any more. */
function stopFlight(engine: Engine): void {
  engine.memory.flight?.stop.abort();
  engine.settle((memory) => memory.land("overtaken"));
}

/** A token of each session other than `except`'s: any generation ends it. */
function tokens(records: readonly (SessionRecord | null | undefined)[], except?: SessionRecord): string[] {
  const seen = except ? [except] : [];
  const found: string[] = [];
  for (const record of records) {
    if (record?.refreshToken === undefined || seen.some((other) => sameSession(other, record))) continue;
    seen.push(record);
    found.push(record.refreshToken);
  }
  return found;
}

/** One change of who is signed in at a time, so that memory and store agree on the order. */
function inTurn<T>(engine: Engine, work: () => Promise<T>): Promise<T> {
  const turn = engine.changing.then(work);
  engine.changing = turn.catch(() => undefined);
  return turn;
}

async function outcome(work: () => Promise<void>): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error instanceof SessionError && error.isSignedOut() ? undefined : error;
  }
}
