/**
 * Strict JSON: what two readers could understand differently is refused.
 *
 * `JSON.parse` knows the grammar. Beyond it this refuses duplicate members at every level (it takes the last one in
 * silence), lone surrogates, numbers out of range, deep nesting and huge objects. What is read is frozen, since
 * whoever shares a cached token shares its claims.
 */

/** Levels of nesting below the outermost object. */
const MAX_DEPTH = 16;
/** Members of one object. */
const MAX_MEMBERS = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN = [0x5b, 0x7b];

/** An object as JSON has it. */
export type JsonObject = { readonly [name: string]: unknown };

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads exactly one JSON object; `undefined` if it is none, or is not strict. */
export function parseObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const text = utf8.decode(bytes);
    const written = countMembers(text);
    const value: unknown = JSON.parse(text);
    if (!isObject(value)) return undefined;
    // A member that is written twice is read once.
    return settle(value, 0) === written ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value is a JSON object, and no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

class NotStrict extends Error {}

/** How many members stand in a text: the colons outside of strings. Bounds the depth before anything is built. */
function countMembers(text: string): number {
  let members = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
    } else if (code === COLON) {
      members++;
    } else if (code === OPEN[0] || code === OPEN[1]) {
      depth++;
      if (depth > MAX_DEPTH + 1) throw new NotStrict();
    } else if (code === 0x5d || code === 0x7d) {
      depth--;
    }
  }
  return members;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at++;
  }
  return text.length;
}

/** Counts the members that were read, refuses what is out of bounds, and freezes the rest. */
function settle(value: unknown, depth: number): number {
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new NotStrict();
    return 0;
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new NotStrict();
    return 0;
  }
  if (typeof value !== "object" || value === null) return 0;
  if (depth > MAX_DEPTH) throw new NotStrict();
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += settle(item, depth + 1);
  } else {
    const names = Object.keys(value);
    if (names.length > MAX_MEMBERS) throw new NotStrict();
    members = names.length;
    for (const name of names) {
      if (!name.isWellFormed()) throw new NotStrict();
      members += settle((value as JsonObject)[name], depth + 1);
    }
  }
  Object.freeze(value);
  return members;
}
