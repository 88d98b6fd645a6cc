/** A stretch of the feed as it comes, whatever brought it. */
import { isObject, parseObject } from "../token/json.js";

/** The longest cursor that is taken, in characters; the service's have 32. */
const MAX_CURSOR = 512;
/** The longest subject that is taken, in bytes, as in tokens. */
const MAX_SUBJECT = 255;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** What ended: one session, or every session of a subject that started before a moment. */
export type Ended =
  | { readonly kind: "session"; readonly sid: string }
  | { readonly kind: "subject"; readonly sub: string; readonly notBeforeMs: number };

/** An entry of the feed. */
export interface Entry {
  readonly ended: Ended;
  /** When it ended, in Unix milliseconds. */
  readonly atMs: number;
  /** From when on the entry says nothing any more, in Unix seconds. */
  readonly until: number;
}

/** A stretch of the feed, oldest entry first. */
export interface Page {
  /** Where to read on; a stream may bring a stretch without. */
  readonly cursor: string | undefined;
  /** Whether nothing followed when this was sent. */
  readonly complete: boolean;
  /** Whether this begins a snapshot: what was known before is void once the snapshot is complete. */
  readonly reset: boolean;
  readonly entries: readonly Entry[];
}

/** Reads the body of an answer of `/v1/revocations`; `undefined` if it is none. */
export function readPage(body: Uint8Array): Page | undefined {
  const page = parseObject(body);
  if (page === undefined) return undefined;
  const { cursor, complete, entries } = page;
  const reset = Object.hasOwn(page, "reset") ? page["reset"] : false;
  if (!isCursor(cursor) || typeof complete !== "boolean" || typeof reset !== "boolean") return undefined;
  if (!Array.isArray(entries)) return undefined;
  const read = entries.map(readEntry);
  return read.includes(undefined) ? undefined : { cursor, complete, reset, entries: read as Entry[] };
}

/** Reads the data of one event of the stream. */
export function readEntryText(text: string): Entry | undefined {
  return readEntry(parseObject(Buffer.from(text)));
}

/** Whether a text can be a cursor. */
export function isCursor(text: unknown): text is string {
  return typeof text === "string" && text.length > 0 && text.length <= MAX_CURSOR;
}

/** An entry of an unknown kind is unreadable: to pass over it would be to accept a token that it may end. */
function readEntry(raw: unknown): Entry | undefined {
  if (!isObject(raw)) return undefined;
  const { sid, sub, not_before_ms: notBeforeMs, at_ms: atMs, until } = raw;
  if (!isWhole(atMs) || !isWhole(until)) return undefined;
  if (typeof sid === "string" && sub === undefined && notBeforeMs === undefined && UUID.test(sid)) {
    return { ended: { kind: "session", sid: sid.toLowerCase() }, atMs, until };
  }
  if (sid === undefined && typeof sub === "string" && Buffer.byteLength(sub) <= MAX_SUBJECT && isWhole(notBeforeMs)) {
    return { ended: { kind: "subject", sub, notBeforeMs }, atMs, until };
  }
  return undefined;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
