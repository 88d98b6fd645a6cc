/** Accepts Daypass access tokens offline, and refuses those of ended sessions. */
import { Verifier, type VerifierOptions } from "./verifier.js";

/**
 * A verifier, or a `ConfigError`. It begins to fetch keys, and to follow the feed, at once; `close()` ends that, and
 * nothing of it keeps a process alive.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  return new Verifier(options);
}

export { ConfigError, type TokenFault, VerifyError, type VerifyErrorCode } from "./errors.js";
export type { Health, KeysHealth, RevocationsHealth } from "./health.js";
export { type Answer, answer } from "./http/answer.js";
export { type Keys, remoteKeys, staticKeys } from "./keys/index.js";
export { type FeedOptions, type RevocationFeed, revocationFeed } from "./revocation/feed.js";
export { type Clock, type Log, type Readings, systemClock } from "./surroundings.js";
export type { HeaderAlgorithm } from "./token/algorithm.js";
export { type AccessClaims, hasScope, isClient } from "./token/claims.js";
export type { Verifier, VerifierOptions } from "./verifier.js";
