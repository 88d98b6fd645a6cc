// What is kept of a session between two calls, two tabs and two weeks; and the attempt ids in it.

import type { Pair } from "./wire/pair.js";

/** An id that this client made for rotating one generation. */
export interface Attempt {
  /** The generation that it rotates. */
  readonly generation: number;
  /** 128 random bits. */
  readonly id: string;
}

/**
 * A session as it is stored: what the service answered last, and what the client adds. Plain data, fit for JSON and for
 * structured cloning. It holds tokens.
 */
export interface SessionRecord extends Partial<Pair> {
  /** The service that the session is with: a record of another service is not used. */
  readonly service: string;
  /** The client that the session was opened on, if it is not the service's built-in one. */
  readonly client_id?: string | undefined;
  /** The session's id; empty while only the browser's cookie knows it. */
  readonly session_id: string;
  /** The newest generation that is known. */
  readonly generation: number;
  /** The ids of rotations, newest first, at most four, each of another generation. */
  readonly attempts: readonly Attempt[];
  /** When the request that brought the access token was sent, on the wall clock, in milliseconds since the Unix epoch. */
  readonly requested_at_ms?: number | undefined;
}

/** A record that came with an access token. */
export type Served = SessionRecord & Pair & { readonly requested_at_ms: number };

/** When the session itself ends, on the wall clock, in milliseconds; infinite for one without end. */
export function endOf({ refresh_expires_in = Infinity, requested_at_ms }: Served): number {
  return requested_at_ms + refresh_expires_in * 1000;
}

/**
 * The record after a renewal that was asked for at `wall`. The ids of the rotations so far stay, unless it turned out
 * to be another session that the browser's cookie holds.
 */
export function renewed(record: SessionRecord, pair: Pair, wall: number): Served {
  const { service, client_id, session_id } = record;
  const same = !session_id || session_id === pair.session_id;
  return sealed({
    ...pair,
    service,
    client_id,
    // A cookie can be behind its ids, which then stay ahead of it.
    generation: same ? Math.max(record.generation, pair.generation) : pair.generation,
    attempts: same ? record.attempts : [],
    requested_at_ms: wall,
  });
}

/** Whether both are of one session. */
export function sameSession(a: SessionRecord, b: SessionRecord): boolean {
  return a.service === b.service && a.session_id === b.session_id;
}

/**
 * What a request that rotates the record's generation says in `Daypass-Attempt`: `7:…, 6:…`, newest first, at most
 * four. Undefined until there is an id for that generation: without it no request may leave.
 */
export function attemptsHeader(record: SessionRecord): string | undefined {
  const attempts = listed(record);
  return attempts[0]?.generation === record.generation
    ? attempts.map(({ generation, id }) => `${generation}:${id}`).join(", ")
    : undefined;
}

/** The record with an id for its generation, unless there is one. That one is never replaced: it may have been sent. */
export function withId(record: SessionRecord, id: string): SessionRecord {
  // The older of two for one generation goes first.
  return sealed({ ...record, attempts: listed(record, { generation: record.generation, id }) });
}

/**
 * The ids that a record has and a request may list: fit for the header, of this generation or an older one, newest
 * first, one for each. A record may have been written by anybody.
 */
function listed({ attempts, generation: newest }: SessionRecord, ...more: Attempt[]): Attempt[] {
  return (
    [...attempts, ...more]
      .filter(({ generation, id }) => generation <= newest && /^[\w.~-]{22,128}$/.test(id))
      .sort((a, b) => b.generation - a.generation)
      .filter(({ generation }, i, all) => all[i - 1]?.generation !== generation)
      // One for the coming rotation, three of past ones.
      .slice(0, 4)
  );
}

/** Keeps the tokens of an object out of what Node prints of it. JSON of it is for stores, and whole. */
export function sealed<T extends object>(value: T): T {
  Object.defineProperty(value, Symbol.for("nodejs.util.inspect.custom"), { value: () => "[holds tokens]" });
  return value;
}
