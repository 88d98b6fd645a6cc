/** The signature algorithms. A key has exactly one (RFC 8725 section 3.1); names are compared exactly. */

/** What a key can be for. */
export type KeyAlgorithm = "ES256" | "Ed25519" | "RS256" | "PS256";

/**
 * What a token's header may say. `EdDSA` is the name that RFC 9864 replaced by `Ed25519`: list it for an issuer that
 * still writes it. Secrets (`HS256`) have no public half: every verifier could make tokens, so it is not among them.
 */
export type HeaderAlgorithm = KeyAlgorithm | "EdDSA";

/** Every name that can be listed. */
export const HEADER_ALGORITHMS: readonly HeaderAlgorithm[] = ["ES256", "Ed25519", "EdDSA", "RS256", "PS256"];

/** The algorithm of the keys that tokens with this header name. */
export function keyAlgorithm(alg: HeaderAlgorithm): KeyAlgorithm {
  return alg === "EdDSA" ? "Ed25519" : alg;
}
