/**
 * When keys are fetched, how long they are good, and what a token whose key is not among them is told: as values,
 * without a clock, a network or a timer. All times are milliseconds of the running clock.
 */

/** Keys are fetched again this long after the last good answer was asked for: 80 % of `FRESH_FOR`. */
export const REFRESH_AFTER = 240_000;
/** From this age on the timer must have been late, and a reader wakes the fetcher. */
export const FRESH_FOR = 300_000;
/** While no good answer comes, the keys stay good for this long after the last one was asked for. */
export const GOOD_FOR = 3_600_000;
/** After a fetch that was made for an unknown key, or that failed, there is none for this long. */
export const COOL_DOWN = 10_000;

/** What somebody who misses a key may hope for: a fetch by its number, or none for so long. */
export type Hope =
  | { readonly kind: "running"; readonly number: number }
  | { readonly kind: "next"; readonly number: number }
  | { readonly kind: "none"; readonly restMs: number };

/** What became of a fetch. */
export type Outcome = "pending" | "fetched" | "failed";

/** The state of one issuer's keys. */
export class Schedule {
  #begun = 0;
  #running: { readonly began: number; readonly forMiss: boolean } | undefined;
  #missed = false;
  #good: { readonly number: number; readonly asked: number } | undefined;
  #failed = false;
  #coolUntil = 0;

  /** Called whenever no fetch is under way: begins one and says so, or says how long to wait. */
  next(now: number): "fetch" | { readonly waitMs: number } {
    const wanted = this.#good !== undefined && !this.#missed ? this.#good.asked + REFRESH_AFTER : now;
    const due = Math.max(wanted, this.#coolUntil);
    if (now < due) return { waitMs: due - now };
    this.#begun++;
    this.#running = { began: now, forMiss: this.#missed };
    this.#missed = false;
    return "fetch";
  }

  /** Somebody holds a token whose key is not among those at hand. */
  miss(now: number): Hope {
    if (this.#running !== undefined) return { kind: "running", number: this.#begun };
    if (now < this.#coolUntil) return { kind: "none", restMs: this.#coolUntil - now };
    this.#missed = true;
    return { kind: "next", number: this.#begun + 1 };
  }

  /** The fetch under way ended with good keys. */
  fetched(now: number): void {
    if (this.#running === undefined) return;
    this.#good = { number: this.#begun, asked: this.#running.began };
    this.#failed = false;
    if (this.#running.forMiss) this.#coolUntil = now + COOL_DOWN;
    this.#running = undefined;
  }

  /** The fetch under way ended without. */
  failed(now: number): void {
    if (this.#running === undefined) return;
    this.#running = undefined;
    this.#failed = true;
    this.#coolUntil = now + COOL_DOWN;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** What became of the fetch of this number, or of a later one. */
  outcome(number: number): Outcome {
    if (this.#good !== undefined && this.#good.number >= number) return "fetched";
    return this.#begun > number || (this.#begun === number && !this.isRunning) ? "failed" : "pending";
  }

  /** When the last good answer was asked for, unless a later fetch failed. */
  get unbroken(): number | undefined {
    return this.#failed ? undefined : this.#good?.asked;
  }

  /** How long no fetch will begin. */
  rest(now: number): number {
    return Math.max(0, this.#coolUntil - now);
  }
}
