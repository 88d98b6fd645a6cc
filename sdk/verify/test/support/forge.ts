// A verifier whose issuer is a forger.
import assert from "node:assert/strict";
import {
  type AccessClaims,
  createVerifier,
  staticKeys,
  type Verifier,
  type VerifierOptions,
  VerifyError,
} from "@daypass/verify";
import { ManualClock } from "./clock.js";
import { type Alg, AUDIENCE, claims, ISSUER, type Json, Key } from "./issuer.js";

export class Forge {
  readonly clock = new ManualClock();
  readonly key: Key;
  readonly verifier: Verifier;

  constructor(alg: Alg = "ES256", options: Partial<VerifierOptions> = {}, keys?: readonly Key[]) {
    this.key = keys?.[0] ?? new Key(alg, "k1");
    this.verifier = createVerifier({
      issuer: ISSUER,
      audience: AUDIENCE,
      algorithms: [alg],
      keys: staticKeys({ keys: (keys ?? [this.key]).map((key) => key.jwk()) }),
      clock: this.clock,
      ...options,
    });
  }

  verify(token: string): Promise<AccessClaims> {
    return this.verifier.verify(token);
  }

  /** Why a token is refused. */
  async refusal(token: string): Promise<VerifyError> {
    return refusalOf(this.verify(token));
  }

  async refused(token: string, code: string, what = ""): Promise<void> {
    assert.equal((await this.refusal(token)).code, code, what);
  }

  /** A token with this header parameter set, or removed if the value is undefined. */
  withHeader(changes: Json): string {
    return this.key.token(this.key.header(changes), claims());
  }

  /** A token with these claims set, or removed if undefined. */
  withClaims(changes: Json): string {
    return this.key.good(changes);
  }

  /** A token with a payload that is a text of the caller's. */
  withPayload(payload: string | Uint8Array): string {
    return this.key.token(this.key.header(), payload);
  }
}

/** The refusal that something rejects with. */
export async function refusalOf(judged: Promise<unknown>): Promise<VerifyError> {
  const error = await judged.then(
    () => assert.fail("it was accepted"),
    (error: unknown) => error,
  );
  if (!(error instanceof VerifyError)) throw error;
  return error;
}
