/** Keys that do not change while the program runs. */
import type { VerifyError } from "../errors.js";
import type { KeysHealth } from "../health.js";
import type { KeyAlgorithm } from "../token/algorithm.js";
import { readJwks } from "./jwks.js";
import { KeySet, type NumberedKey } from "./keyset.js";
import { found, type KeySource, type Want } from "./source.js";

/** Fixed keys in use. They are imported once; callers wait for that. */
export class FixedSource implements KeySource {
  #keys: KeySet | undefined;
  readonly #ready: Promise<KeySet>;

  constructor(jwks: unknown, algorithms: readonly KeyAlgorithm[]) {
    this.#ready = importAll(jwks, algorithms);
    this.#ready.then(
      (keys) => (this.#keys = keys),
      () => undefined, // Whoever looks for a key is told.
    );
  }

  holds(number: number): boolean {
    return this.#keys?.has(number) === true;
  }

  async find(want: Want): Promise<NumberedKey> {
    const looked: NumberedKey | VerifyError | undefined = (await this.#ready).find(want.kid, want.alg);
    return found(looked);
  }

  health(): KeysHealth {
    const number = this.#keys?.size ?? 0;
    return { usable: number > 0, number, ageSeconds: undefined, lastError: undefined };
  }

  measure(): void {
    // There is nothing to fetch.
  }

  close(): void {
    // Nothing runs.
  }
}

async function importAll(jwks: unknown, algorithms: readonly KeyAlgorithm[]): Promise<KeySet> {
  const read = await readJwks(Buffer.from(JSON.stringify(jwks) ?? ""));
  if (typeof read === "string" || !read.some((key) => algorithms.includes(key.alg))) {
    throw new Error("the static keys cannot be used: no key is of an algorithm that the verifier accepts");
  }
  return new KeySet(read);
}
