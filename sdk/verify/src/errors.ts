/** Why a token or a request is not let through, and why a verifier cannot be made. Nothing here holds a token. */

/** Why a token is not good. Answered with 401 `invalid_token`. */
export type TokenFault =
  | "too_large"
  | "malformed"
  | "algorithm"
  | "header"
  | "type"
  | "issuer"
  | "expired"
  | "not_yet_valid"
  | "audience"
  | "unknown_key"
  | "bad_signature"
  | "claim";

/** A stable name of the reason, for metrics and logs. */
export type VerifyErrorCode =
  | TokenFault
  /** There is no token, and one is needed: 401, a challenge without an error. */
  | "missing"
  /** The request carries more than one token, or one that is not `Bearer <token>`: 400. */
  | "malformed_request"
  /** The token's session has ended: 401. */
  | "revoked"
  /** The token is good and lacks a scope: 403. */
  | "scope"
  /** The issuer's keys cannot be had now: 503, and nothing is known against the token. */
  | "keys_unavailable"
  /** The list of ended sessions is too old, and `whenStale` is `'refuse'`: 503. */
  | "revocations_unavailable"
  /** The verifier was closed: 503. */
  | "closed";

const STATUS: Partial<Record<VerifyErrorCode, 400 | 401 | 403 | 503>> = {
  malformed_request: 400,
  scope: 403,
  keys_unavailable: 503,
  revocations_unavailable: 503,
  closed: 503,
};

/** Why a token, or the request that carries it, is not let through. */
export class VerifyError extends Error {
  override readonly name = "VerifyError";
  /** A stable name of the reason. */
  readonly code: VerifyErrorCode;
  /** The HTTP status to answer: 503 is never the token's fault. */
  readonly status: 400 | 401 | 403 | 503;
  /** For a 503: seconds after which to ask again, at least 1. */
  readonly retryAfter: number | undefined;
  /** For `scope`: the scope that is lacking. */
  readonly scope: string | undefined;

  /** @internal */
  constructor(code: VerifyErrorCode, message: string, more: { retryAfterMs?: number; scope?: string } = {}) {
    super(message);
    this.code = code;
    this.status = STATUS[code] ?? 401;
    this.retryAfter = more.retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(more.retryAfterMs / 1000));
    this.scope = more.scope;
  }

  /** Whether the token was once good as far as was looked, and only its time is over. */
  get isExpired(): boolean {
    return this.code === "expired";
  }

  /** Whether the token can be judged neither way now: the caller should wait, and not throw its token away. */
  get isUnavailable(): boolean {
    return this.status === 503;
  }
}

const TEXTS: Record<TokenFault, string> = {
  too_large: "the token is too large",
  malformed: "the token is malformed",
  algorithm: "the token's algorithm is not accepted",
  header: "the token's header is not accepted",
  type: "the token's type is not accepted",
  issuer: "the token is from another issuer",
  expired: "the token has expired",
  not_yet_valid: "the token is not valid yet",
  audience: "the token is for another audience",
  unknown_key: "the token's key is unknown",
  bad_signature: "the token's signature is wrong",
  claim: "a claim of the token is not accepted",
};

/** A refusal of a token; `detail` is a text of ours, such as a claim's name. */
export function refusal(code: TokenFault, detail?: string): VerifyError {
  return new VerifyError(code, detail === undefined ? TEXTS[code] : `${TEXTS[code]}: ${detail}`);
}

/** Why a verifier cannot be made, or a middleware is used wrongly. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
