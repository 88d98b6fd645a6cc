/**
 * One issuer's tokens by one policy: size → algorithm → `typ` → `iss` → time → `aud` → key → signature → other claims →
 * revocation → scope.
 */
import { compactVerify } from "jose";

import { DEFAULT_CACHE_BYTES, type Seen, TokenCache } from "./cache.js";
import { refusal, VerifyError } from "./errors.js";
import type { Health } from "./health.js";
import type { Keys } from "./keys/index.js";
import type { NumberedKey } from "./keys/keyset.js";
import type { KeySource } from "./keys/source.js";
import { Counts, Scrape } from "./metrics.js";
import { type Policy, resolve } from "./policy.js";
import { factsOf } from "./revocation/facts.js";
import type { Following, RevocationFeed } from "./revocation/feed.js";
import { type Clock, type Log, type Surroundings, systemClock } from "./surroundings.js";
import { type HeaderAlgorithm, keyAlgorithm } from "./token/algorithm.js";
import { type AccessClaims, accept, draft, hasScope } from "./token/claims.js";
import { object, readHeader, split } from "./token/compact.js";

/** How long a caller waits for the first list of ended sessions, and the least time after which to ask again. */
const REVOCATIONS_WAIT = 1000;

/** What a verifier is made of. */
export interface VerifierOptions {
  /** The only issuer whose tokens pass: the service's `issuer`, compared with `iss` byte by byte. */
  readonly issuer: string;
  /** What this API is called in tokens: `aud` must name it, or one of them. */
  readonly audience: string | readonly [string, ...string[]];
  /** `remoteKeys(url)` or `staticKeys(jwks)`. */
  readonly keys: Keys;
  /** `revocationFeed({…})`. Without one a token passes until it expires, whatever becomes of its session. */
  readonly revocation?: RevocationFeed;
  /** The algorithms that pass: there is no "any". Default `['ES256']`, which is what Daypass signs with by default. */
  readonly algorithms?: readonly [HeaderAlgorithm, ...HeaderAlgorithm[]];
  /** The header types that pass, compared exactly. Default `at+jwt` and `application/at+jwt` (RFC 9068 section 4). */
  readonly types?: readonly [string, ...string[]];
  /** Seconds after `exp` in which a token still passes. Default 5, at most 300. */
  readonly leewaySeconds?: number;
  /** Seconds by which `iat` and `nbf` may lie ahead. Default 30, at most 300. */
  readonly futureLeewaySeconds?: number;
  /** The longest time between `iat` and `exp`, in seconds. Default 3600. */
  readonly maxLifetimeSeconds?: number;
  /** Scopes that every token must carry. */
  readonly requireScopes?: readonly string[];
  /** Claims that must be there and not `null`, whatever their value. */
  readonly requireClaims?: readonly string[];
  /** The memory for tokens seen before, in bytes. Default 32 MiB; 0 turns it off. */
  readonly cacheBytes?: number;
  /** Where outages of keys and feed are told, such as `console`. No token or secret comes there. Default: nowhere. */
  readonly log?: Log;
  /** For tests: time, requests and chance. */
  readonly clock?: Clock;
  readonly fetch?: typeof globalThis.fetch;
  readonly random?: () => number;
}

/** Judges access tokens. Make one when the program starts, and share it: it holds the keys. */
export class Verifier {
  readonly #policy: Policy;
  readonly #clock: Clock;
  readonly #keys: KeySource;
  readonly #following: Following | undefined;
  readonly #cache: TokenCache | undefined;
  readonly #counts = new Counts();
  #closed = false;

  /** @internal */
  constructor(options: VerifierOptions) {
    this.#policy = resolve(options);
    const around: Surroundings = {
      clock: options.clock ?? systemClock(),
      fetch: options.fetch ?? ((...args) => globalThis.fetch(...args)),
      random: options.random ?? Math.random,
      log: options.log,
    };
    this.#clock = around.clock;
    const cacheBytes = options.cacheBytes ?? DEFAULT_CACHE_BYTES;
    this.#cache = cacheBytes > 0 ? new TokenCache(cacheBytes) : undefined;
    this.#keys = options.keys.start(around, this.#policy.keyAlgorithms);
    try {
      this.#following = options.revocation?.start(around, options.issuer);
    } catch (error) {
      this.#keys.close();
      throw error;
    }
  }

  /** The claims of a good token. Rejects with a `VerifyError` that says why, and what to answer. */
  async verify(token: string): Promise<AccessClaims> {
    try {
      if (this.#closed) throw new VerifyError("closed", "the verifier was closed", { retryAfterMs: 1000 });
      const known = this.#recall(token);
      if (known !== undefined) {
        const claims = this.#admitNow(known) ?? (await this.#admit(known));
        this.#counts.seenBefore++;
        return claims;
      }
      const claims = await this.#admit(await this.#judge(token));
      this.#counts.newTokens++;
      return claims;
    } catch (error) {
      if (error instanceof VerifyError) this.#counts.refused(error.code);
      throw error;
    }
  }

  /** How it is: for a readiness check. */
  health(): Health {
    const keys = this.#keys.health();
    const revocations = this.#following?.followed.health();
    const ready = !this.#closed && keys.usable && revocations?.refusing !== true;
    return { ready, issuer: this.#policy.issuer, keys, revocations };
  }

  /** What was counted, as Prometheus reads it. */
  metricsText(): string {
    const scrape = new Scrape(this.#policy.issuer);
    const keys = this.#keys.health();
    this.#counts.measure(scrape);
    scrape.gauge("keys", "Keys at hand", keys.number);
    scrape.gauge("keys_usable", "1 if tokens can be judged by the keys, else 0", keys.usable ? 1 : 0);
    this.#keys.measure(scrape);
    this.#cache?.measure(scrape);
    this.#following?.followed.measure(scrape);
    return scrape.text();
  }

  /** Ends all requests and timers. Nothing runs afterwards, and every token is answered with 503. */
  close(): void {
    this.#closed = true;
    this.#keys.close();
    this.#following?.close();
    this.#cache?.clear();
  }

  /** A token that was found good before, if its time and its key still are. */
  #recall(token: string): Seen | undefined {
    const seen = this.#cache?.get(token);
    if (seen === undefined) return undefined;
    const now = this.#now();
    if (now >= seen.from && now < seen.until && this.#keys.holds(seen.key)) return seen;
    // Judging it anew tells why it is refused, or that it is not.
    this.#cache?.forget(token);
    return undefined;
  }

  /** Every step that is the same each time for as long as the key is known; remembers what passed them. */
  async #judge(token: string): Promise<Seen> {
    if (typeof token !== "string") throw refusal("malformed", "it is no text");
    const policy = this.#policy;
    const parts = split(token);
    const { alg, kid } = readHeader(parts.header, policy.algorithms, policy.types);
    const payload = object(parts.payload, "the payload");
    const read = draft(payload, policy, this.#now());
    if (!isBase64url(parts.signature)) throw refusal("malformed", "the signature is not base64url");
    const publishedBy = read.iat + policy.futureLeeway;
    const key = await this.#keys.find({ kid, alg: keyAlgorithm(alg), header: parts.header, publishedBy });
    await checkSignature(token, key, alg);
    const claims = accept(payload, read, policy.requireClaims);
    const seen = {
      claims,
      facts: this.#following === undefined ? undefined : factsOf(claims),
      from: Math.max(read.iat, read.nbf ?? read.iat) - policy.futureLeeway,
      until: read.exp + policy.leeway,
      key: key.number,
      lacks: policy.requireScopes.find((scope) => !hasScope(claims, scope)),
    };
    if (!this.#closed) this.#cache?.insert(token, seen);
    return seen;
  }

  /** The steps that are asked anew each time. `undefined` if it is worth while to wait for the list of ended sessions. */
  #admitNow(seen: Seen): AccessClaims | undefined {
    const followed = this.#following?.followed;
    if (followed !== undefined && seen.facts !== undefined) {
      const standing = followed.check(seen.claims.sub, seen.facts);
      if (standing === "ended") throw new VerifyError("revoked", "the session has ended");
      if (standing === "stale") return undefined;
    }
    if (seen.lacks !== undefined) throw lacking(seen.lacks);
    return seen.claims;
  }

  async #admit(seen: Seen): Promise<AccessClaims> {
    const now = this.#admitNow(seen);
    if (now !== undefined) return now;
    const followed = this.#following?.followed;
    await followed?.first(REVOCATIONS_WAIT);
    const then = this.#admitNow(seen);
    if (then !== undefined) return then;
    throw new VerifyError("revocations_unavailable", "the list of ended sessions cannot be had now", {
      retryAfterMs: Math.max(REVOCATIONS_WAIT, followed?.retryAfterMs ?? 0),
    });
  }

  #now(): number {
    return Math.floor(this.#clock.wall() / 1000);
  }
}

/** The refusal of a token that is good and lacks this scope. */
export function lacking(scope: string): VerifyError {
  return new VerifyError("scope", `the scope ${scope} is required`, { scope });
}

/** The algorithm was chosen by the key, which has one: the library is given no other. */
async function checkSignature(token: string, key: NumberedKey, alg: HeaderAlgorithm): Promise<void> {
  try {
    await compactVerify(token, key.key, { algorithms: [alg] });
  } catch {
    // Whatever the library says, nothing of it is passed on: its errors may hold parts of the token.
    throw refusal("bad_signature");
  }
}

function isBase64url(segment: string): boolean {
  return Buffer.from(segment, "base64url").toString("base64url") === segment;
}
