/** What can be given to a verifier as its keys. */
import type { Surroundings } from "../surroundings.js";
import type { KeyAlgorithm } from "../token/algorithm.js";
import { FixedSource } from "./fixed.js";
import { RemoteSource } from "./remote.js";
import type { KeySource } from "./source.js";

/** Where an issuer's keys come from: made by `remoteKeys` or `staticKeys`. */
export class Keys {
  readonly #start: (around: Surroundings, algorithms: readonly KeyAlgorithm[]) => KeySource;

  /** @internal */
  constructor(start: (around: Surroundings, algorithms: readonly KeyAlgorithm[]) => KeySource) {
    this.#start = start;
  }

  /** @internal */
  start(around: Surroundings, algorithms: readonly KeyAlgorithm[]): KeySource {
    return this.#start(around, algorithms);
  }
}

/**
 * The keys at a url: a JWK set (RFC 7517 section 5), fetched over https, or over http from this very machine.
 *
 * They are fetched as soon as the verifier is made, again every 4 minutes, and at once when a token wants a key that is
 * not among them, but then not more often than every 10 seconds. While they cannot be fetched the last ones stay good
 * for an hour. A request may take 2 seconds and 512 KiB, and redirects are not followed.
 *
 * `allowHttp` accepts http for any host. **Whoever can put himself in between may then sign any token.**
 */
export function remoteKeys(url: string, options: { readonly allowHttp?: boolean } = {}): Keys {
  return new Keys((around, algorithms) => new RemoteSource(around, url, options.allowHttp === true, algorithms));
}

/** Keys that never change: a JWK set of public keys. Secrets in it are passed over. */
export function staticKeys(jwks: { readonly keys: readonly unknown[] }): Keys {
  return new Keys((_, algorithms) => new FixedSource(jwks, algorithms));
}
