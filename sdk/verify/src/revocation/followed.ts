/** What the verifier sees of the feed: which sessions have ended, and how old that knowledge is. */
import type { RevocationsHealth } from "../health.js";
import type { Scrape } from "../metrics.js";
import type { Clock } from "../surroundings.js";
import type { Facts } from "./facts.js";
import { FEED_FAULTS, type FeedFault } from "./fault.js";
import { Ledger, type Now } from "./ledger.js";
import type { Page } from "./page.js";

/** The most callers that wait for the first reading at once. */
const MOST_WAITING = 1024;

/** What the feed says of a token's session: nothing against it, its end, or that nobody knows and has to. */
export type Standing = "live" | "ended" | "stale";

/** The feed as far as it was read. */
export class Followed {
  /** How it is read at the moment. */
  mode: "stream" | "poll";
  readonly #clock: Clock;
  readonly #maxStaleness: number;
  readonly #refuse: boolean;
  readonly #ledger = new Ledger();
  readonly #started: number;
  readonly #outcomes = new Map<FeedFault | "read", number>();
  #read: number | undefined;
  #next = 0;
  #last: FeedFault | undefined;
  /** Who waits for the first reading to end; `undefined` once it has. */
  #waiting: (() => void)[] | undefined = [];

  constructor(clock: Clock, maxStalenessMs: number, refuse: boolean, mode: "stream" | "poll") {
    this.#clock = clock;
    this.#maxStaleness = maxStalenessMs;
    this.#refuse = refuse;
    this.#started = clock.running();
    this.mode = mode;
  }

  /** Judges a session by what is at hand. */
  check(sub: string, facts: Facts): Standing {
    if (this.#ledger.hasEnded(sub, facts)) return "ended";
    return this.#refuse && this.isStale ? "stale" : "live";
  }

  /** Whether what is known is older than it may be. Nothing is known before the first complete reading. */
  get isStale(): boolean {
    return this.#read === undefined || this.#age() > this.#maxStaleness;
  }

  /** Whether tokens are refused because of that. */
  get refusing(): boolean {
    return this.#refuse && this.isStale;
  }

  /** When to ask again after `stale`: when the feed is read again. In milliseconds. */
  get retryAfterMs(): number {
    return Math.max(0, this.#next - this.#clock.running());
  }

  get cursor(): string | undefined {
    return this.#ledger.cursor;
  }

  /** Returns when the first reading has ended, well or badly, and at the latest after so long. */
  async first(atMostMs: number): Promise<void> {
    const waiting = this.#waiting;
    if (waiting === undefined || waiting.length >= MOST_WAITING) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(atMostMs, resolve);
      waiting.push(() => {
        cancel();
        resolve();
      });
    });
  }

  apply(page: Page): void {
    this.#ledger.apply(page, this.#now());
  }

  /** A stream was cut off. */
  interrupted(): void {
    this.#ledger.interrupted();
  }

  /** Everything up to `at`, on the running clock, is known. `counts`: it is a reading, and no mere sign of life. */
  read(at: number, counts = true): void {
    this.#read = at;
    this.#last = undefined;
    if (counts) this.#count("read");
  }

  failed(fault: FeedFault): void {
    this.#last = fault;
    this.#count(fault);
  }

  nextIn(ms: number): void {
    this.#next = this.#clock.running() + ms;
  }

  /** Forgets what can be forgotten. */
  forget(): void {
    this.#ledger.forget(this.#now());
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#tellFirst();
  }

  health(): RevocationsHealth {
    return {
      mode: this.mode,
      ageSeconds: this.#read === undefined ? undefined : Math.floor(this.#age() / 1000),
      stale: this.isStale,
      refusing: this.refusing,
      entries: this.#ledger.size,
      lastError: this.#last,
    };
  }

  measure(into: Scrape): void {
    const help = "Readings of the revocation feed, by how they ended";
    into.gauge(
      "feed_age_seconds",
      "Age of what is known of ended sessions: since the start, if nothing is",
      this.#age() / 1000,
    );
    into.gauge("feed_stale", "Whether that is older than it may be", this.isStale ? 1 : 0);
    into.gauge("feed_entries", "Ended sessions and subjects that are known", this.#ledger.size);
    for (const outcome of ["read", ...FEED_FAULTS] as const) {
      into.counter("feed_polls", help, this.#outcomes.get(outcome) ?? 0, { outcome });
    }
  }

  #age(): number {
    return this.#clock.running() - (this.#read ?? this.#started);
  }

  #now(): Now {
    return { wall: this.#clock.wall(), running: this.#clock.running() };
  }

  #count(outcome: FeedFault | "read"): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    this.#tellFirst();
  }

  #tellFirst(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const tell of waiting) tell();
  }
}
