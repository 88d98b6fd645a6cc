// The renewal of a session, step by step: one at a time, which everybody waits for and nobody can stop.

import { type Release, randomId, webLock } from "../environment.js";
import { protocol, type SignOutReason, signedOut } from "../errors.js";
import { isRefusable, type Moment, type Need, need } from "../policy.js";
import { attemptsHeader, renewed, type SessionRecord, sameSession, withId } from "../record.js";
import type { Stored } from "../store/store.js";
import type { Pair } from "../wire/pair.js";
import { refreshRequest } from "../wire/request.js";
import {
  currentOf,
  type Engine,
  exchange,
  type Flight,
  hold,
  isCalled,
  load,
  mark,
  noteClock,
  now,
  post,
  reconcile,
  serves,
  signOut,
  tell,
  tokenOf,
  type Wish,
} from "./engine.js";
import { ask, inVain, logOut, logOutBehind, newTries, ready } from "./tries.js";

/**
 * How long to wait for whoever else renews the same session, in milliseconds. He may be frozen: then this client goes on
 * under the same attempt id, and the service gives both the same.
 */
const LOCK_WAIT = 5000;

/** How often the service names another generation before that makes no sense. */
const MOST_MISMATCHES = 3;

/** Somebody has signed in or out: those who wait look again. */
const AGAIN: unique symbol = Symbol();

/** An access token that serves. Everybody who asks meanwhile waits for one renewal, which nobody can stop. */
export async function accessToken(engine: Engine, wish: Wish): Promise<string> {
  for (;;) {
    const at = atHand(engine, wish);
    if (at) return at;
    const joined = engine.flight;
    try {
      const token = await (joined ?? launch(engine, wish)).landed;
      // A renewal for somebody else may have brought what does not serve this one.
      if (token && token !== wish.rejected && !(joined && wish.minValidity)) return token;
    } catch (error) {
      const token = tokenOf(engine);
      if (!token || token === wish.rejected || !serves(engine)) throw error;
      return token;
    }
  }
}

/** The token at hand, if it is what somebody wishes. */
function atHand(engine: Engine, wish: Wish): string | undefined {
  const { current, unseen, flight } = engine;
  const token = tokenOf(engine);
  if (!current || !token || (unseen && !flight)) return undefined;
  if (token === wish.rejected) return isRefusable(current, now(engine)) ? undefined : token;
  const what = needed(engine, wish);
  if (what === "behind") renewAhead(engine);
  return what === "wait" ? undefined : token;
}

/** What to do with the token at hand for somebody who wishes it to serve for a while. */
function needed(engine: Engine, { minValidity = 0 }: Wish): Need {
  const { current } = engine;
  return current ? need(current, now(engine), minValidity * 1000) : "wait";
}

/** Starts a renewal if it is time for one ahead of need and none is under way. */
export function renewAhead(engine: Engine): Flight | undefined {
  const { flight, next, env, record } = engine;
  const due = record?.session_id && needed(engine, {}) !== "fresh";
  // While the service is to be left alone nobody has to wait for it either.
  return due && !flight && next <= env.running() ? launch(engine, { ahead: true }) : undefined;
}

function launch(engine: Engine, wish: Wish): Flight {
  const stop = new AbortController();
  const flight: Flight = {
    ...wish,
    ...newTries(engine, stop),
    stop,
    mismatches: 0,
    landed: new Promise((resolve, reject) => {
      stop.signal.addEventListener("abort", () => resolve(undefined));
      // Not before it is known to be under way.
      queueMicrotask(() => run(engine, flight).then(resolve, reject));
    }),
  };
  // Nobody has to wait for it.
  flight.landed.catch(() => undefined);
  engine.flight = flight;
  return flight;
}

async function run(engine: Engine, flight: Flight): Promise<string | undefined> {
  try {
    return await renew(engine, flight);
  } catch (error) {
    if (error === AGAIN) return undefined;
    if (isCalled(error, "unavailable") && engine.flight === flight && engine.record) {
      mark(engine, "unreachable", true);
    }
    throw error;
  } finally {
    if (engine.flight === flight) engine.flight = undefined;
    tell(engine);
  }
}

/** Reads the store, rotates, writes the store. What somebody else has written meanwhile serves as well. */
async function renew(engine: Engine, flight: Flight): Promise<string> {
  take(engine, flight, await load(engine));
  let token = served(engine, flight);
  if (token) return token;
  const release = await lock(engine);
  try {
    take(engine, flight, await load(engine));
    if (engine.unwritten) await put(engine, flight, engine.unwritten, true);
    for (;;) {
      token = served(engine, flight) ?? (await step(engine, flight));
      if (token) return token;
    }
  } finally {
    release?.();
  }
}

/** Waits for whoever renews the same session. In vain, or without such a lock, all goes on: it only saves work. */
export async function lock({ store, env, service }: Engine): Promise<Release | null | undefined> {
  try {
    return await (store.lock?.(LOCK_WAIT) ?? webLock(env, `daypass:${service}`, LOCK_WAIT));
  } catch {
    return undefined;
  }
}

/** Throws if somebody has signed in or out meanwhile, and tells what is known if not. */
function check(engine: Engine, flight: Flight): SessionRecord {
  if (engine.flight !== flight || !engine.record) throw AGAIN;
  return engine.record;
}

/** Takes over what the store holds. Throws if nobody is signed in. */
function take(engine: Engine, flight: Flight, stored: Stored): undefined {
  if (engine.flight !== flight) throw AGAIN;
  if (!reconcile(engine, stored)) throw signedOut(engine.out ?? "not_signed_in");
}

/** The token at hand, if it is as good as what this renewal is for. */
function served(engine: Engine, flight: Flight): string | undefined {
  check(engine, flight);
  const what = needed(engine, flight);
  const token = tokenOf(engine);
  return token !== flight.rejected && (what === "fresh" || (what === "behind" && !flight.ahead)) ? token : undefined;
}

/** The id for the coming rotation is made and written down; then a request may leave. */
async function step(engine: Engine, flight: Flight): Promise<string | undefined> {
  const record = check(engine, flight);
  const header = engine.store.ids === false ? "" : attemptsHeader(record);
  if (header === undefined) return put(engine, flight, withId(record, randomId()));
  if (await ready(engine, flight)) {
    // Somebody else may have been luckier. If that cannot be read, a repetition does no harm.
    const stored = await load(engine).catch(() => undefined);
    if (stored && stored.version !== engine.version) return take(engine, flight, stored);
  }
  check(engine, flight);
  return request(engine, flight, record, header);
}

/** Writes a record that says more. If somebody was quicker, what he wrote is taken over. */
async function put(engine: Engine, flight: Flight, record: SessionRecord, mayFail = false): Promise<undefined> {
  try {
    take(engine, flight, (await exchange(engine, engine.version, record)).stored);
  } catch (error) {
    if (!isCalled(error, "store")) throw error;
    check(engine, flight);
    mark(engine, "persistfailed", true);
    if (mayFail) return;
    inVain(engine, flight);
    throw error;
  }
}

/** One request under the ids of `header`. */
async function request(
  engine: Engine,
  flight: Flight,
  record: SessionRecord,
  header: string,
): Promise<string | undefined> {
  const asked = now(engine);
  const { session_id, generation, refresh_token } = record;
  const answer = await ask(engine, flight, refreshRequest(engine.service, refresh_token, header));
  switch (answer.is) {
    case "renewed": {
      const { pair } = answer;
      // Tokens of another session, or that lead back, are no answer. But a cookie can be behind its ids, and can be
      // another session's if somebody has signed in past this client.
      const leadsOn = pair.session_id === session_id && pair.generation > generation;
      if (leadsOn || engine.transport === "cookie") return keep(engine, flight, record, pair, asked);
      inVain(engine, flight);
      return;
    }
    case "mismatch":
      if (answer.generation <= generation || ++flight.mismatches > MOST_MISMATCHES) {
        inVain(engine, flight);
        throw protocol("names a wrong generation");
      }
      // A tab that has just renewed has its cookie in the jar before its record in the store: it is given a moment.
      if (session_id && engine.transport === "cookie" && flight.mismatches === 1) return void inVain(engine, flight);
      // The service reads another generation from the token than the record has.
      return put(engine, flight, withId({ ...record, generation: answer.generation }, randomId()));
    case "denied":
      throw answer.error;
    case "nothing":
      return;
    default:
      return over(engine, flight, record, answer.is === "ended" ? answer.reason : answer.is);
  }
}

/**
 * The service says that this token leads nowhere. It may speak of one that somebody else has rotated since: unless the
 * store still has it, all is well.
 */
async function over(
  engine: Engine,
  flight: Flight,
  sent: SessionRecord,
  why: SignOutReason | "superseded" | "no_cookie",
): Promise<undefined> {
  const stored = await load(engine);
  const { record, version } = stored;
  const isStillThere = record
    ? sameSession(record, sent) && record.generation <= sent.generation && record.refresh_token === sent.refresh_token
    : !(sent.session_id && version);
  if (!isStillThere) return take(engine, flight, stored);
  if (why === "no_cookie") {
    // Others who share the store, and this page once it is loaded anew, may ask once more.
    check(engine, flight);
    signOut(engine, sent.session_id ? "cookie_missing" : "not_signed_in");
    engine.ended = undefined;
    engine.cookieless = version;
  } else {
    // The service has gone on with somebody else: the session is ended for him too before anybody here is signed out.
    if (why === "superseded") await logOut(engine, sent.refresh_token, flight.stop, sent.session_id);
    // A store that keeps a session that is over is cleared later.
    const removed = await exchange(engine, version, null).catch(() => undefined);
    if (removed?.done === false) return take(engine, flight, removed.stored);
    check(engine, flight);
    signOut(engine, why === "superseded" ? "reused" : why);
  }
  throw signedOut(engine.out ?? "unknown");
}

/** Writes the tokens of a renewal that was asked for at `asked`. Where they are not wanted any more they are handed back. */
async function keep(engine: Engine, flight: Flight, sent: SessionRecord, pair: Pair, asked: Moment): Promise<string> {
  const record = renewed(sent, pair, asked.wall);
  const current = currentOf(engine, record, asked);
  const give = (kept: SessionRecord, version: string, unwritten?: SessionRecord) => {
    check(engine, flight);
    hold(engine, kept, version, current, unwritten);
    post(engine, "refreshed");
    noteClock(engine, record);
    return pair.access_token;
  };
  try {
    let { version } = engine;
    for (;;) {
      const exchanged = await exchange(engine, version, record).catch(() => undefined);
      // The access token serves all the same; the refresh token is not sent before it is written, and until then renewals
      // repeat the rotation that is.
      if (!exchanged) return give(sent, version, record);
      const { done, stored } = exchanged;
      ({ version } = stored);
      // The store has it: now everybody may.
      if (done) return give(record, version);
      const theirs = stored.record;
      const isSame = theirs && (!theirs.session_id || sameSession(theirs, record));
      // An id was added to what is older, perhaps.
      if (isSame && (!theirs.session_id || theirs.generation < record.generation)) continue;
      take(engine, flight, stored);
      if (!isSame) throw AGAIN;
      // Somebody who shares the store has renewed at the same time, or gone on since: his tokens serve everybody, and if
      // there are none that serve, the one that came here does.
      return served(engine, flight) ?? give(theirs, version);
    }
  } catch (error) {
    const held = engine.unwritten ?? engine.record;
    if (error === AGAIN && !(held && sameSession(held, record))) logOutBehind(engine, record.refresh_token);
    throw error;
  }
}
