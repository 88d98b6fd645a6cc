/**
 * Reading somebody else's JWK set, under limits. A key that cannot be used is passed over and the others still load
 * (RFC 7517 section 5); a set that leaks a private key is refused as a whole.
 */

import { createHash } from "node:crypto";
import { type CryptoKey, importJWK } from "jose";

import type { KeyAlgorithm } from "../token/algorithm.js";
import { decode, isKeyId } from "../token/compact.js";
import { isObject, type JsonObject, parseObject } from "../token/json.js";
import { isGoodEd25519Point, isGoodModulus } from "./weak.js";

/** The longest set that is read, in bytes. */
export const MAX_JWKS = 512 * 1024;
/** The most keys that a set may have, unusable ones included. */
const MAX_KEYS = 100;
/** Members that only private keys have. A secret's `k` is not among them: `oct` keys are passed over. */
const PRIVATE = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];
const EXPONENT = "AQAB";

/** Why a whole set is refused. */
export type JwksFault = "malformed" | "too_large" | "too_many_keys" | "private_material";

/** A key that verifies signatures of exactly one algorithm. */
export interface PublicKey {
  readonly kid: string;
  readonly alg: KeyAlgorithm;
  /** What jose verifies with. */
  readonly key: CryptoKey;
  /** The numbers, as one text: two keys are the same if this is. */
  readonly material: string;
}

/** A JWK with nothing but what names the key. */
type Numbers = { readonly [member: string]: string };

/** Reads the body of a JWK set. */
export async function readJwks(body: Uint8Array): Promise<readonly PublicKey[] | JwksFault> {
  if (body.length > MAX_JWKS) return "too_large";
  const entries = parseObject(body)?.["keys"];
  if (!Array.isArray(entries)) return "malformed";
  if (entries.length > MAX_KEYS) return "too_many_keys";
  if (entries.some((entry) => isObject(entry) && PRIVATE.some((name) => Object.hasOwn(entry, name)))) {
    return "private_material";
  }
  const read = await Promise.all(entries.map(readKey));
  return withoutAmbiguous(read.filter((key) => key !== undefined));
}

/** Two keys of one name and algorithm: none of them can be meant. The same key twice counts once. */
function withoutAmbiguous(keys: readonly PublicKey[]): readonly PublicKey[] {
  const same = (key: PublicKey) => keys.filter((other) => other.kid === key.kid && other.alg === key.alg);
  return keys.filter((key) => same(key)[0] === key && same(key).every((other) => other.material === key.material));
}

async function readKey(entry: unknown): Promise<PublicKey | undefined> {
  if (!isObject(entry) || !isForSignatures(entry)) return undefined;
  const [alg, numbers] = numbersOf(entry) ?? [];
  if (alg === undefined || numbers === undefined) return undefined;
  const material = JSON.stringify(numbers);
  const kid = Object.hasOwn(entry, "kid") ? entry["kid"] : createHash("sha256").update(material).digest("base64url");
  if (!isKeyId(kid)) return undefined;
  try {
    // The members are picked one by one: nothing that the set says beside them reaches the library.
    return { kid, alg, material, key: (await importJWK({ ...numbers, kty: numbers["kty"] ?? "" }, alg)) as CryptoKey };
  } catch {
    return undefined; // Not on the curve, or otherwise no key.
  }
}

function isForSignatures(key: JsonObject): boolean {
  const operations = key["key_ops"];
  const listed = Array.isArray(operations) && operations.includes("verify");
  return (!Object.hasOwn(key, "use") || key["use"] === "sig") && (!Object.hasOwn(key, "key_ops") || listed);
}

/** The key's only algorithm, and its numbers in the order of RFC 7638. */
function numbersOf(key: JsonObject): readonly [KeyAlgorithm, Numbers] | undefined {
  const { kty, crv, x, y, n, e } = key;
  switch (kty) {
    case "EC": {
      const alg = algorithmOf(key, { ES256: "ES256" }, "ES256");
      if (alg === undefined || crv !== "P-256" || !isNumber(x, 32) || !isNumber(y, 32)) return undefined;
      return [alg, { crv, kty, x, y }];
    }
    case "OKP": {
      const alg = algorithmOf(key, { Ed25519: "Ed25519", EdDSA: "Ed25519" }, "Ed25519");
      if (alg === undefined || crv !== "Ed25519" || !isNumber(x, 32)) return undefined;
      return isGoodEd25519Point(Buffer.from(x, "base64url")) ? [alg, { crv, kty, x }] : undefined;
    }
    case "RSA": {
      const alg = algorithmOf(key, { RS256: "RS256", PS256: "PS256" }, "RS256");
      if (alg === undefined || e !== EXPONENT || !isNumber(n)) return undefined;
      return isGoodModulus(Buffer.from(n, "base64url")) ? [alg, { e, kty, n }] : undefined;
    }
    default:
      return undefined; // `oct` is a secret, and a secret has no place in a published set.
  }
}

function algorithmOf(
  key: JsonObject,
  names: Readonly<Record<string, KeyAlgorithm>>,
  unstated: KeyAlgorithm,
): KeyAlgorithm | undefined {
  const alg = key["alg"];
  if (!Object.hasOwn(key, "alg")) return unstated;
  return typeof alg === "string" && Object.hasOwn(names, alg) ? names[alg] : undefined;
}

/** A canonical base64url number, of exactly so many bytes if that is stated. */
function isNumber(value: unknown, length?: number): value is string {
  if (typeof value !== "string") return false;
  const bytes = decode(value);
  return bytes !== undefined && (length === undefined || bytes.length === length);
}
