/** What of a token the feed may name. Read once for each token. */
import { refusal } from "../errors.js";
import type { AccessClaims } from "../token/claims.js";

/** What of a token, beside its subject, decides whether its session has ended. */
export interface Facts {
  /** The session, if the token has one. */
  readonly sid: string | undefined;
  /** When the session started, in Unix milliseconds. */
  readonly startedMs: number;
}

/** A lower-case hyphenated UUIDv7 (RFC 9562 section 5.7): its one spelling, which carries its start. */
const SESSION = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * The facts of a verified token. A session id that does not carry its start could pass by what the feed says: its token
 * is refused. A token without a session counts from the beginning of the second in which it was issued.
 */
export function factsOf(claims: AccessClaims): Facts {
  if (claims.sid === undefined) return { sid: undefined, startedMs: claims.iat * 1000 };
  const [, high, low] = SESSION.exec(claims.sid) ?? [];
  if (high === undefined || low === undefined) throw refusal("claim", "sid");
  return { sid: claims.sid, startedMs: parseInt(high + low, 16) };
}
