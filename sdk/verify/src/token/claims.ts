/** The claims of an access token, judged in two halves: what can refuse it before its key, and the rest after. */
import { refusal } from "../errors.js";
import { isText } from "./compact.js";
import type { JsonObject } from "./json.js";

/** The longest `sub`, `client_id`, `jti` and `sid`, in bytes. */
const MAX_IDENTIFIER = 255;
/** The last second of the year 9999. */
const LAST_DATE = 253_402_300_799;

/**
 * The claims of a verified access token (RFC 9068 section 2.2), frozen. Times are whole Unix seconds, rounded towards
 * refusal. Claims of your own are here too, under their names, as `unknown`.
 */
export interface AccessClaims {
  /** The issuer, as configured. */
  readonly iss: string;
  /** Who: unique for this issuer only. Equal to `client_id` where a program acts for itself. */
  readonly sub: string;
  /** The audiences, one of which is the verifier's. */
  readonly aud: readonly string[];
  /** The client that the token was issued to. */
  readonly client_id: string;
  readonly iat: number;
  readonly exp: number;
  readonly nbf?: number;
  /** The token's id. Tell tokens apart by this, never by their text. */
  readonly jti: string;
  /** The session; absent for a program that acts for itself. */
  readonly sid?: string;
  /** What the client may do, words separated by one space: compare with `hasScope`. */
  readonly scope: string;
  readonly auth_time?: number;
  readonly acr?: string;
  readonly amr: readonly string[];
  readonly [claim: string]: unknown;
}

/** What a verifier expects of claims. */
export interface ClaimPolicy {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly leeway: number;
  readonly futureLeeway: number;
  readonly maxLifetime: number;
}

/** What was judged before the key, read for good. */
export interface Draft {
  readonly iat: number;
  readonly exp: number;
  readonly nbf: number | undefined;
  readonly aud: readonly string[];
}

/** Issuer, times and audience, in this order. `now` is in Unix seconds. */
export function draft(payload: JsonObject, policy: ClaimPolicy, now: number): Draft {
  if (payload["iss"] !== policy.issuer) throw refusal("issuer");
  const exp = date(payload["exp"], Math.floor, "exp");
  if (now >= exp + policy.leeway) throw refusal("expired");
  const iat = date(payload["iat"], Math.floor, "iat");
  const nbf = Object.hasOwn(payload, "nbf") ? date(payload["nbf"], Math.ceil, "nbf") : undefined;
  if (nbf !== undefined && nbf > exp) throw refusal("claim", "nbf");
  const horizon = now + policy.futureLeeway;
  if (iat > horizon || (nbf !== undefined && nbf > horizon)) throw refusal("not_yet_valid");
  if (exp <= iat || exp - iat > policy.maxLifetime) throw refusal("claim", "exp");
  return { iat, exp, nbf, aud: audiences(payload["aud"], policy) };
}

/** A NumericDate (RFC 7519 section 2): a JSON number, whole or not, up to the year 9999 either way. */
function date(value: unknown, round: (seconds: number) => number, name: string): number {
  const seconds = typeof value === "number" ? round(value) : NaN;
  if (!(Math.abs(seconds) <= LAST_DATE)) throw refusal("claim", name);
  return seconds;
}

/** `aud` (RFC 7519 section 4.1.3): a string, or strings, among which one of the policy's is. */
function audiences(aud: unknown, policy: ClaimPolicy): readonly string[] {
  const list = typeof aud === "string" ? [aud] : aud;
  if (!isStrings(list) || !list.some((one) => policy.audiences.includes(one))) throw refusal("audience");
  return Object.freeze([...list]);
}

/** The claims of a token whose signature was found good. */
export function accept(payload: JsonObject, read: Draft, required: readonly string[]): AccessClaims {
  for (const name of ["sub", "client_id", "jti"]) {
    if (!isText(own(payload, name), MAX_IDENTIFIER)) throw refusal("claim", name);
  }
  for (const name of ["sid", "acr"]) {
    if (Object.hasOwn(payload, name) && !isText(payload[name], MAX_IDENTIFIER)) throw refusal("claim", name);
  }
  const scope = Object.hasOwn(payload, "scope") ? payload["scope"] : "";
  if (!isScope(scope)) throw refusal("claim", "scope");
  const authTime = Object.hasOwn(payload, "auth_time")
    ? date(payload["auth_time"], Math.floor, "auth_time")
    : undefined;
  const amr = Object.hasOwn(payload, "amr") ? payload["amr"] : [];
  if (!isStrings(amr)) throw refusal("claim", "amr");
  // A token that is bound to its bearer's key (RFC 7800) is no bearer token, and nobody checks a proof here.
  if (Object.hasOwn(payload, "cnf")) throw refusal("claim", "cnf");
  for (const name of required) {
    if ((own(payload, name) ?? null) === null) throw refusal("claim", name);
  }
  const claims: Record<string, unknown> = { __proto__: null, ...payload };
  Object.assign(claims, { iat: read.iat, exp: read.exp, aud: read.aud, scope, amr: Object.freeze(amr) });
  if (read.nbf !== undefined) claims["nbf"] = read.nbf;
  if (authTime !== undefined) claims["auth_time"] = authTime;
  return Object.freeze(claims) as unknown as AccessClaims;
}

function own(payload: JsonObject, name: string): unknown {
  return Object.hasOwn(payload, name) ? payload[name] : undefined;
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

/** Empty, or tokens of printable ASCII without quote and backslash, separated by exactly one space (RFC 6749 3.3). */
function isScope(value: unknown): value is string {
  return typeof value === "string" && /^(?:[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*)?$/.test(value);
}

/** Whether a scope was granted, whole and with its case: `read` is not in `read:all`. */
export function hasScope(claims: Pick<AccessClaims, "scope">, scope: string): boolean {
  return scope !== "" && claims.scope.split(" ").includes(scope);
}

/** Whether a token stands for a program that acts for itself, and not for a person of that name (RFC 9068 section 5). */
export function isClient(claims: Pick<AccessClaims, "sub" | "client_id">): boolean {
  return claims.sub === claims.client_id;
}
