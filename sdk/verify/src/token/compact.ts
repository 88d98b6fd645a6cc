/** The outer form of a token: compact serialisation, base64url, and the header. */
import { refusal } from "../errors.js";
import type { HeaderAlgorithm } from "./algorithm.js";
import { type JsonObject, parseObject } from "./json.js";

/** The longest token that is looked at, in characters: 16 KiB. */
export const MAX_TOKEN = 16 * 1024;
/** The longest `kid`, in bytes. */
const MAX_KEY_ID = 256;
/**
 * Header parameters that change what a token means or where its key is from: RFC 7515 section 4.1.11, RFC 7797 section
 * 7, RFC 8725 section 3.10; neither compression, encryption nor nesting is spoken.
 */
const FORBIDDEN = ["crit", "b64", "zip", "jwk", "jku", "x5u", "x5c", "cty", "enc"];

/** A token cut at its two dots, nothing decoded. */
export interface Compact {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

/** What of a header is used. */
export interface Header {
  readonly alg: HeaderAlgorithm;
  readonly kid: string;
}

/** Cuts a token. Refuses by size before it looks at anything. */
export function split(token: string): Compact {
  if (token.length > MAX_TOKEN) throw refusal("too_large");
  const first = token.indexOf(".");
  const second = token.indexOf(".", first + 1);
  if (first < 1 || second <= first + 1 || second === token.length - 1 || token.includes(".", second + 1)) {
    throw refusal("malformed", "not three segments");
  }
  return { header: token.slice(0, first), payload: token.slice(first + 1, second), signature: token.slice(second + 1) };
}

/** Reads a header: algorithm, forbidden parameters, type, key id. Unknown parameters are ignored (RFC 7515 section 4). */
export function readHeader(segment: string, algorithms: readonly HeaderAlgorithm[], types: readonly string[]): Header {
  const header = object(segment, "the header");
  const alg = algorithms.find((known) => known === header["alg"]);
  if (alg === undefined) throw refusal("algorithm");
  for (const name of FORBIDDEN) {
    if (Object.hasOwn(header, name)) throw refusal("header", name);
  }
  const typ = header["typ"];
  if (typeof typ !== "string" || !types.includes(typ)) throw refusal("type");
  const kid = header["kid"];
  if (!isKeyId(kid)) throw refusal("header", "kid");
  return { alg, kid };
}

/** A segment as a strict JSON object. */
export function object(segment: string, what: string): JsonObject {
  const bytes = decode(segment);
  if (bytes === undefined) throw refusal("malformed", `${what} is not base64url`);
  const read = parseObject(bytes);
  if (read === undefined) throw refusal("malformed", `${what} is not a strict JSON object`);
  return read;
}

/**
 * Canonical base64url without padding (RFC 7515 section 2). Node's decoder takes other alphabets, padding, white space
 * and unused bits that are not zero: encoding again shows them.
 */
export function decode(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}

/** A key id is compared, and nothing else: any text without control characters, within bounds. */
export function isKeyId(kid: unknown): kid is string {
  return isText(kid, MAX_KEY_ID);
}

const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/;

/** A text that is neither empty nor longer than so many bytes, and has no control characters. */
export function isText(value: unknown, most: number): value is string {
  return (
    typeof value === "string" &&
    value.length > 0 &&
    value.length <= most &&
    Buffer.byteLength(value) <= most &&
    !CONTROLS.test(value)
  );
}
