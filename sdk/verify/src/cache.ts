/** Tokens that were seen before and found good. Only good ones are kept: nobody flushes the cache with rubbish. */
import type { Scrape } from "./metrics.js";
import type { Facts } from "./revocation/facts.js";
import type { AccessClaims } from "./token/claims.js";

/** The memory for tokens unless told otherwise, in bytes: 32 MiB, about 11,000 tokens of 700 characters. */
export const DEFAULT_CACHE_BYTES = 32 * 1024 * 1024;
/** An entry takes its text, and about twice as much again for the claims that were read from it… */
const TEXTS = 3;
/** … and these bytes for the structures around. */
const OVERHEAD = 768;

/** What is known of a token that was found good. */
export interface Seen {
  readonly claims: AccessClaims;
  readonly facts: Facts | undefined;
  /** From which Unix second on it passes, and until which, leeways included. */
  readonly from: number;
  readonly until: number;
  /** The number of the key that signed it. */
  readonly key: number;
  /** The first required scope that it lacks. */
  readonly lacks: string | undefined;
}

/**
 * Good tokens by their whole text, bounded by the memory that they take. There are two generations: when the young one
 * is full it becomes the old one, and the old one is dropped but for what was used since.
 */
export class TokenCache {
  readonly #half: number;
  #young = new Map<string, Seen>();
  #old = new Map<string, Seen>();
  #youngBytes = 0;
  #oldBytes = 0;

  /** A cache of about so many bytes; none if that is 0. */
  constructor(bytes: number) {
    this.#half = bytes / 2;
  }

  get(token: string): Seen | undefined {
    const seen = this.#young.get(token);
    if (seen !== undefined) return seen;
    const older = this.#old.get(token);
    if (older !== undefined) {
      this.#old.delete(token);
      this.#oldBytes -= weight(token);
      this.#add(token, older);
    }
    return older;
  }

  insert(token: string, seen: Seen): void {
    this.forget(token);
    if (weight(token) <= this.#half) this.#add(token, seen);
  }

  forget(token: string): void {
    if (this.#young.delete(token)) this.#youngBytes -= weight(token);
    if (this.#old.delete(token)) this.#oldBytes -= weight(token);
  }

  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#youngBytes = 0;
    this.#oldBytes = 0;
  }

  measure(into: Scrape): void {
    into.gauge("cache_tokens", "Tokens in the cache", this.#young.size + this.#old.size);
    into.gauge("cache_bytes", "About the memory that they take", this.#youngBytes + this.#oldBytes);
  }

  #add(token: string, seen: Seen): void {
    const bytes = weight(token);
    if (this.#youngBytes + bytes > this.#half) {
      this.#old = this.#young;
      this.#oldBytes = this.#youngBytes;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(token, seen);
    this.#youngBytes += bytes;
  }
}

function weight(token: string): number {
  return TEXTS * token.length + OVERHEAD;
}
