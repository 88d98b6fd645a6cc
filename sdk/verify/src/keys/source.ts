/** Where an issuer's keys come from, as a verifier sees it. */
import { refusal, VerifyError } from "../errors.js";
import type { KeysHealth } from "../health.js";
import type { Scrape } from "../metrics.js";
import type { KeyAlgorithm } from "../token/algorithm.js";
import type { NumberedKey } from "./keyset.js";

/** What a token wants of the keys. */
export interface Want {
  readonly kid: string;
  readonly alg: KeyAlgorithm;
  /** The token's first segment: one issuer's tokens by one key have the same. */
  readonly header: string;
  /** By when the token's key was published, in Unix seconds: its `iat`, and the leeway for the issuer's clock. */
  readonly publishedBy: number;
}

/** Keys in use. */
export interface KeySource {
  /** Whether the key of this number, which verified a token before, may still be relied upon. */
  holds(number: number): boolean;
  /** The key, which is waited for up to a second if it can be had. Throws a `VerifyError`. */
  find(want: Want): NumberedKey | Promise<NumberedKey>;
  health(): KeysHealth;
  measure(into: Scrape): void;
  close(): void;
}

/** A key, or the refusal that a set of keys has for it. */
export function found(looked: NumberedKey | VerifyError | undefined): NumberedKey {
  if (looked === undefined) throw refusal("unknown_key");
  if (looked instanceof VerifyError) throw looked;
  return looked;
}
