// What is kept of a session between two calls, two tabs and two weeks; and the attempt ids in it.

import type { Pair } from "./wire/pair.js";

/** An id that this client made for rotating one generation. */
export interface Attempt {
  /** The generation that it rotates. */
  readonly generation: number;
  /** 128 random bits, base64url. */
  readonly id: string;
}

/** An access token and how long it serves, by this machine's clock: its own `exp` is never looked at. */
export interface Access {
  readonly token: string;
  /** When the request that brought it was sent, on the wall clock, in milliseconds since the Unix epoch. */
  readonly requestedAt: number;
  /** How long it serves from then on, in seconds. */
  readonly expiresIn: number;
  /** When the service would like it renewed if it is in use, in seconds from then on. */
  readonly refreshIn?: number;
}

/** A session as it is stored: plain data, fit for JSON and for structured cloning. It holds tokens. */
export interface SessionRecord {
  /** The service that the session is with: a record of another service is not used. */
  readonly service: string;
  /** The client that the session was opened on, if it is not the service's built-in one. */
  readonly clientId?: string;
  /** The session's id; empty while only the browser's cookie knows it. */
  readonly sessionId: string;
  /** The generation of the refresh token. */
  readonly generation: number;
  /** The token of the next rotation; absent where a cookie holds it. */
  readonly refreshToken?: string;
  /** The ids of rotations, newest first, at most four, each of another generation. */
  readonly attempts: readonly Attempt[];
  /** The access token that came with the last answer. */
  readonly access?: Access;
  /** When the session itself ends, on the wall clock, in milliseconds; absent for one without end. */
  readonly endsAt?: number;
}

/** How many attempt ids a request lists at most: one for the coming rotation, three of past ones. */
const MOST_ATTEMPTS = 4;

const ID = /^[\w.~-]{22,128}$/;

/** The record of a pair that was asked for at `wall`, in a session that this client has no past with. */
export function firstRecord(
  service: string,
  clientId: string | undefined,
  pair: Pair,
  wall: number,
): SessionRecord {
  const { refreshExpiresIn, refreshToken } = pair;
  return sealed({
    service,
    ...(clientId !== undefined && { clientId }),
    sessionId: pair.sessionId,
    generation: pair.generation,
    ...(refreshToken !== undefined && { refreshToken }),
    attempts: [],
    access: accessOf(pair, wall),
    ...(refreshExpiresIn !== undefined && { endsAt: wall + refreshExpiresIn * 1000 }),
  });
}

/**
 * The record after a renewal that was asked for at `wall`. The ids of the rotations so far stay, unless it turned out
 * to be another session that the browser's cookie holds.
 */
export function renewed(record: SessionRecord, pair: Pair, wall: number): SessionRecord {
  const next = firstRecord(record.service, record.clientId, pair, wall);
  if (record.sessionId && record.sessionId !== pair.sessionId) return next;
  // A cookie can be behind its ids, which then stay ahead of it.
  const generation = Math.max(record.generation, pair.generation);
  return sealed({ ...next, generation, attempts: record.attempts });
}

export function accessOf(pair: Pair, wall: number): Access {
  const { token, expiresIn, refreshIn } = pair;
  return sealed({ token, requestedAt: wall, expiresIn, ...(refreshIn !== undefined && { refreshIn }) });
}

/** Whether both are of one session. */
export function sameSession(a: SessionRecord, b: SessionRecord): boolean {
  return a.service === b.service && a.sessionId === b.sessionId;
}

/**
 * What a request that rotates the record's generation says in `Daypass-Attempt`: `7:…, 6:…`, newest first, at most
 * four. Undefined until there is an id for that generation: without it no request may leave.
 */
export function attemptsHeader(record: SessionRecord): string | undefined {
  const attempts = listed(record);
  if (attempts[0]?.generation !== record.generation) return undefined;
  return attempts.map(({ generation, id }) => `${generation}:${id}`).join(", ");
}

/** The record with an id for its generation, unless there is one. That one is never replaced: it may have been sent. */
export function withId(record: SessionRecord, id: string): SessionRecord {
  const attempts = listed(record);
  if (attempts[0]?.generation !== record.generation) attempts.unshift({ generation: record.generation, id });
  return sealed({ ...record, attempts: attempts.slice(0, MOST_ATTEMPTS) });
}

/**
 * The ids that a record has and a request may list: fit for the header, of this generation or an older one, newest
 * first, one for each. A record may have been written by anybody.
 */
function listed(record: SessionRecord): Attempt[] {
  return record.attempts
    .filter(({ generation, id }) => generation <= record.generation && ID.test(id))
    .sort((a, b) => b.generation - a.generation)
    .filter(({ generation }, i, all) => all[i - 1]?.generation !== generation)
    .slice(0, MOST_ATTEMPTS);
}

const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/** Keeps the tokens of an object out of what Node prints of it. JSON of it is for stores, and whole. */
export function sealed<T extends object>(value: T): T {
  Object.defineProperty(value, INSPECT, { value: () => "[holds tokens]" });
  return Object.freeze(value);
}
