// How long to wait before a service that did not answer is asked again. Times are in milliseconds, of the clock that
// never goes back.

const FIRST = 250;
const MOST = 4000;
/** Just after waking, the network is about to come back. */
const MOST_AFTER_WAKING = 1000;
const JUST_AWAKE = 20_000;

export class Backoff {
  private failures = 0;
  /** When the next request may leave. */
  private next = 0;
  /** Until when the service asked to be left alone. */
  private asked = 0;
  private awoke = Number.NEGATIVE_INFINITY;

  /**
   * A request failed. The wait before the next is drawn from nothing to a bound that doubles ("full jitter", from a
   * quarter of a second to four), and comes on top of what the service asked for, in seconds.
   */
  failed(now: number, retryAfter: number | undefined, share: number): void {
    const most = now < this.awoke + JUST_AWAKE ? MOST_AFTER_WAKING : MOST;
    const wait = Math.min(FIRST * 2 ** Math.min(this.failures, 16), most) * share;
    this.failures++;
    if (retryAfter !== undefined) this.asked = now + retryAfter * 1000;
    this.next = (retryAfter === undefined ? now : this.asked) + wait;
  }

  /** A request was answered. */
  answered(): void {
    this.failures = this.next = this.asked = 0;
  }

  /** The host is online or awake again: the past says nothing. What the service asked for stands. */
  woke(now: number): void {
    this.failures = 0;
    this.next = this.asked;
    this.awoke = now;
  }

  /** How long the next request has still to wait. */
  wait(now: number): number {
    return Math.max(this.next - now, 0);
  }

  /** How long the service has still to be left alone, in seconds, if it asked for it. */
  retryAfter(now: number): number | undefined {
    return this.asked > now ? (this.asked - now) / 1000 : undefined;
  }

  copy(): Backoff {
    return Object.assign(new Backoff(), this);
  }
}
