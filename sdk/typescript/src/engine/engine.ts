// What a session knows between two calls, and how others are told when it changes.

import { type Environment, type Release, within } from "../environment.js";
import { type ErrorCode, SessionError, type SignOutReason, storeFailed } from "../errors.js";
import type { Events, SessionState } from "../events.js";
import { type Current, left, type Moment } from "../policy.js";
import { type Served, type SessionRecord, sameSession } from "../record.js";
import type { Exchange, Stored, TokenStore } from "../store/store.js";
import type { Transport } from "../wire/pair.js";
import { type Backoff, noBackoff, woke } from "./backoff.js";
import type { Tries } from "./tries.js";

/** Half of how long one call to the store may take, in milliseconds. */
const STORE_LIMIT = 5000;

/** What a session is described by, checked. */
export interface Setting {
  readonly env: Environment;
  /** The service's URL without a slash at the end. */
  readonly service: string;
  readonly client_id: string | undefined;
  readonly transport: Transport;
  readonly store: TokenStore;
}

/** What somebody wants who asks for an access token. */
export interface Wish {
  /** How long the token has to serve at least, in seconds. */
  readonly minValidity?: number | undefined;
  /** A token that a server has refused with `invalid_token`. */
  readonly rejected?: string | undefined;
  /** Whether the token is renewed ahead of need. */
  readonly ahead?: boolean;
}

/** A renewal under way. What is not under way any more has been overtaken: its results are not wanted. */
export interface Flight extends Wish, Tries {
  readonly stop: AbortController;
  /** How often the service has named another generation. */
  mismatches: number;
  /** Brings a token, or nothing if those who wait have to look again. */
  readonly landed: Promise<string | undefined>;
}

/** What others can listen to. */
interface Heard extends Events {
  readonly state: SessionState;
}

/** What one session knows. */
export interface Engine extends Setting, Backoff {
  /** Why nobody is signed in. */
  out?: SignOutReason | undefined;
  /** What the store has, and under which version. Without an id of a session it is what only a cookie may know. */
  record?: SessionRecord | undefined;
  version: string;
  /** What the store would not take: its refresh token is not sent before it does. */
  unwritten?: SessionRecord | undefined;
  /** The access token that is given out. */
  current?: Current | undefined;
  flight?: Flight | undefined;
  /** The session that ended here last: what a store still holds of it is not used. */
  ended?: string | undefined;
  /** The state of the store with which no cookie was sent: nobody asks again until it changes. */
  cookieless?: string | undefined;
  /** Whether the store has told of a change that nobody has looked at. */
  unseen?: boolean;
  /** Whether the browser has frozen the page. */
  frozen?: boolean;
  skew: number;
  unreachable?: boolean;
  persistfailed?: boolean;
  /** Whoever changes who is signed in waits for those before him. */
  changing: Promise<unknown>;
  readonly outbox: [keyof Heard, Heard[keyof Heard]][];
  readonly listeners: { [K in keyof Heard]?: Set<(event: never) => void> };
  /** Called when the host comes back, with whether its connections may be gone. */
  readonly wakers: Set<(connection: boolean) => unknown>;
  snapshot: SessionState;
  told: SessionState;
  readonly closing: (Release | undefined)[];
}

export function newEngine(setting: Setting): Engine {
  const unknown: SessionState = { status: "unknown" };
  const engine: Engine = {
    ...setting,
    ...noBackoff(),
    version: "",
    skew: 0,
    changing: Promise.resolve(),
    outbox: [],
    listeners: {},
    wakers: new Set(),
    snapshot: unknown,
    told: unknown,
    closing: [],
  };
  engine.closing.push(
    setting.env.lifecycle((what) => {
      engine.frozen = what === "frozen";
      if (what === "visible" || what === "online") wake(engine, what === "online");
      if (engine.unseen) void look(engine);
    }),
    setting.store.subscribe?.(() => {
      engine.unseen = true;
      void look(engine);
    }),
  );
  void look(engine);
  return engine;
}

export function now({ env }: Engine): Moment {
  return { wall: env.now(), running: env.running() };
}

/** The host is online again, or awake: what waits to be tried again is tried now. */
export function wake(engine: Engine, connection: boolean): void {
  woke(engine, engine.env.running());
  for (const waker of engine.wakers) waker(connection);
}

/** Reads the store and takes over what is there, where no renewal does. */
async function look(engine: Engine): Promise<void> {
  // A frozen page hears of changes, but would keep others from the store until it is awake.
  if (engine.frozen) return;
  try {
    const stored = await load(engine);
    if (!engine.flight) reconcile(engine, stored);
  } catch {
    // Whoever needs it meets the error himself.
    engine.unseen = true;
  }
  tell(engine);
}

/** Reads the store. What another service or client left there is no session. */
export async function load(engine: Engine): Promise<Stored> {
  engine.unseen = false;
  const { version, record } = await guarded(engine, async () => engine.store.load());
  const isOurs = record?.service === engine.service && record.client_id === engine.client_id;
  return { version, record: isOurs ? record : null };
}

export function exchange(engine: Engine, version: string, record: SessionRecord | null): Promise<Exchange> {
  return guarded(engine, async () => engine.store.compareExchange(version, record));
}

/** A call to the store. One that never ends has failed; what it does later is a change like any other. */
async function guarded<T>({ env }: Engine, call: () => Promise<T>): Promise<T> {
  let cause: unknown;
  const work = call().catch((error) => {
    cause = error;
    return undefined;
  });
  const wait = () => within<T>(env, STORE_LIMIT, (end) => work.then(end));
  // Twice half as long: whoever sleeps through one wait has the other to catch up.
  const made = (await wait()) ?? (await wait());
  if (!made) throw storeFailed(cause);
  return made;
}

/** Takes over what a store holds, if it is not what is known already. The answer: whether it is of use. */
export function reconcile(engine: Engine, { version, record }: Stored): boolean {
  const { transport, out } = engine;
  if (!record && transport === "cookie" && !out && !(version && engine.record?.session_id)) {
    // Where the store has nothing, a browser may still have a cookie. Without a version nobody has signed out: what was
    // there has been cleared away.
    engine.record ??= nobodys(engine);
    engine.version = version;
    return true;
  }
  if (record && version === engine.cookieless) return false;
  if (!record || (record.session_id && record.session_id === engine.ended)) {
    if (!out) signOut(engine, engine.record?.session_id ? "signed_out" : "not_signed_in");
    return false;
  }
  if (out || engine.version !== version || !engine.current) takeOver(engine, version, record);
  return true;
}

/** The record of a session that nothing is known of. */
export function nobodys({ service, client_id }: Setting): SessionRecord {
  return { service, client_id, session_id: "", generation: 0, attempts: [] };
}

/** Takes over a record that somebody else wrote, or that was there before. */
function takeOver(engine: Engine, version: string, record: SessionRecord): void {
  const { record: old, unwritten, current } = engine;
  const same = old && sameSession(old, record);
  // Ours that was never written is still the newest there is, or somebody has written as much.
  const kept = same && unwritten && unwritten.generation > record.generation ? unwritten : undefined;
  const { access_token } = record;
  // What this process asked for itself it knows the age of.
  const isNew = access_token && !kept && access_token !== tokenOf(engine);
  const next = isNew ? currentOf(engine, record as Served) : same ? current : undefined;
  hold(engine, record, version, next, kept);
}

/** The token that is given out. */
export function tokenOf({ current }: Engine): string | undefined {
  return current?.record.access_token;
}

/** Whether there is one that has not expired. */
export function serves(engine: Engine): boolean {
  return !!engine.current && left(engine.current, now(engine)) > 0;
}

/** The access token of a record that was asked for at that moment, or read just now. */
export function currentOf(engine: Engine, record: Served, asked?: Moment): Current {
  return { ...(asked ?? now(engine)), record, here: !!asked, jitter: engine.env.random() };
}

/** Somebody is signed in. */
export function hold(
  engine: Engine,
  record: SessionRecord,
  version: string,
  current: Current | undefined,
  unwritten?: SessionRecord,
): void {
  const { record: old, out } = engine;
  if (record.session_id && (old ? !sameSession(old, record) : out)) post(engine, "signedin");
  Object.assign(engine, { record, version, current, unwritten, out: undefined, cookieless: undefined });
  mark(engine, "persistfailed", !!unwritten);
}

/** The session is over. */
export function signOut(engine: Engine, reason: SignOutReason): void {
  const id = engine.record?.session_id;
  engine.out = reason;
  engine.record = engine.unwritten = engine.current = undefined;
  if (!id) return;
  engine.persistfailed = engine.unreachable = false;
  engine.ended = id;
  post(engine, "signedout", { reason });
}

/** What a renewal under way brings is not wanted any more, and those who wait look again. */
export function overtake(engine: Engine): void {
  engine.flight?.stop.abort();
  engine.flight = undefined;
}

/** What is told when what went wrong does not any more. */
const OVER = { unreachable: "reachable", persistfailed: "persisted" } as const;

/** Something goes wrong, or does not any more: others are told when that changes. */
export function mark(engine: Engine, what: keyof typeof OVER, is: boolean): void {
  if (!engine[what] === is) post(engine, is ? what : OVER[what]);
  engine[what] = is;
}

/** The service has answered. */
export function reachable(engine: Engine): void {
  mark(engine, "unreachable", false);
}

/** Takes note of the service's clock, by an answer that has just come. */
export function noteClock(engine: Engine, { server_time, requested_at_ms }: Served): void {
  if (server_time === undefined) return;
  // What is less than a minute is of no consequence.
  const ahead = Math.trunc((server_time - (requested_at_ms + engine.env.now()) / 2) / 1000);
  const seconds = Math.abs(ahead) > 60 ? ahead : 0;
  if (Math.abs(seconds - engine.skew) <= 60) return;
  engine.skew = seconds;
  post(engine, "skew", { seconds });
}

/** Puts an event behind those that nobody has been told of yet. */
export function post<K extends keyof Events>(engine: Engine, name: K, event: Events[K] | object = {}): void {
  engine.outbox.push([name, event as Events[K]]);
}

/** What the session is worth: the same object until that changes. */
export function stateOf(engine: Engine): SessionState {
  const { record, out, snapshot, unreachable } = engine;
  const state: SessionState = out
    ? { status: "signed-out", reason: out }
    : record?.session_id
      ? { status: unreachable ? "unreachable" : serves(engine) ? "active" : "stale", sessionId: record.session_id }
      : { status: "unknown" };
  if (JSON.stringify(state) !== JSON.stringify(snapshot)) engine.snapshot = Object.freeze(state);
  return engine.snapshot;
}

/**
 * Tells what has changed, in order, once nobody is in the middle of anything. What listeners throw is their own affair,
 * and surfaces as such.
 */
export function tell(engine: Engine): void {
  const { listeners, outbox, told } = engine;
  const state = stateOf(engine);
  if (state !== told) outbox.unshift(["state", state]);
  engine.told = state;
  for (const [name, event] of outbox.splice(0)) {
    for (const listener of listeners[name] ?? []) queueMicrotask(() => listener(event as never));
  }
}

/** Listens to an event, or to the state. */
export function listen<K extends keyof Heard>(
  { listeners }: Engine,
  name: K,
  listener: (event: Heard[K]) => void,
): Release {
  listeners[name] ??= new Set();
  // The same function may listen twice.
  return enlist(listeners[name], (event: never) => listener(event));
}

/** Adds something to a set, until it is released. */
export function enlist<T>(set: Set<T>, item: T): Release {
  set.add(item);
  return () => void set.delete(item);
}

export function isCalled(error: unknown, code: ErrorCode): boolean {
  return error instanceof SessionError && error.code === code;
}
