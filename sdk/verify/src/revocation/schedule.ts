/** When the feed is read again, and how old what is known may be. Pure: dice and times come from outside. */

/** The longest wait after the first failure; it doubles with each further one. */
const FIRST_BACK_OFF = 1000;
/** The longest wait of our own choice after a failure. */
const LONGEST_BACK_OFF = 10_000;
/** The longest wait that a server's `Retry-After` is followed for. */
export const LONGEST_RETRY_AFTER = 60_000;

/** When the next reading is due. Waits are in milliseconds; `dice` is a number from 0 to below 1. */
export class Schedule {
  readonly #every: number;
  #failures = 0;

  constructor(everyMs: number) {
    this.#every = everyMs;
  }

  /** After a reading that ended well: the interval, a tenth more or less, so that many verifiers do not come at once. */
  succeeded(dice: number): number {
    this.#failures = 0;
    return this.#every * (0.9 + 0.2 * dice);
  }

  /** After one that failed: up to a bound that doubles, and never less than what the server asked for, in reason. */
  failed(retryAfterMs: number | undefined, dice: number): number {
    const bound = Math.min(FIRST_BACK_OFF * 2 ** Math.min(this.#failures, 4), LONGEST_BACK_OFF);
    this.#failures++;
    return Math.max(bound * dice, Math.min(retryAfterMs ?? 0, LONGEST_RETRY_AFTER));
  }
}
