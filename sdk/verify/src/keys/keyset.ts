/** A set of one issuer's keys, whose members can be told apart over time. */
import { refusal, type VerifyError } from "../errors.js";
import type { KeyAlgorithm } from "../token/algorithm.js";
import type { PublicKey } from "./jwks.js";

/** A key with its number. It keeps the number in the sets that follow for as long as each of them has it. */
export interface NumberedKey extends PublicKey {
  readonly number: number;
}

/** The verifying keys of one issuer. */
export class KeySet {
  readonly #keys: readonly NumberedKey[];
  readonly #numbers: ReadonlySet<number>;
  readonly #nextNumber: number;

  /** The set that follows another. A key that was withdrawn and comes back gets another number. */
  constructor(keys: readonly PublicKey[], previous?: KeySet) {
    let next = previous === undefined ? 0 : previous.#nextNumber;
    this.#keys = keys.map((key) => ({
      ...key,
      number: (previous === undefined ? undefined : previous.#numberOf(key)) ?? next++,
    }));
    this.#numbers = new Set(this.#keys.map((key) => key.number));
    this.#nextNumber = next;
  }

  get size(): number {
    return this.#keys.length;
  }

  /** Whether the key of this number is in the set. */
  has(number: number): boolean {
    return this.#numbers.has(number);
  }

  /** The key that a token's header asks for: `undefined` if no key has its name, an error if one has that is not for it. */
  find(kid: string, alg: KeyAlgorithm): NumberedKey | VerifyError | undefined {
    let named = false;
    for (const key of this.#keys) {
      if (key.kid !== kid) continue;
      if (key.alg === alg) return key;
      named = true;
    }
    return named ? refusal("algorithm", "it is not that of the key") : undefined;
  }

  #numberOf(key: PublicKey): number | undefined {
    return this.#keys.find((known) => known.kid === key.kid && known.alg === key.alg && known.material === key.material)
      ?.number;
  }
}
