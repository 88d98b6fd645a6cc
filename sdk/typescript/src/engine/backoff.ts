// How long to wait before a service that did not answer is asked again. Times are in milliseconds, of the clock that
// never goes back.

/** What is known of a service that did not answer. */
export interface Backoff {
  failures: number;
  /** When the next request may leave. */
  next: number;
  /** Until when the service asked to be left alone. */
  asked: number;
  /** When the host came back last. */
  awoke: number;
}

const FIRST = 250;
const MOST = 4000;
/** Just after waking, the network is about to come back. */
const MOST_AFTER_WAKING = 1000;
const JUST_AWAKE = 20_000;

export function noBackoff(): Backoff {
  return { failures: 0, next: 0, asked: 0, awoke: -JUST_AWAKE };
}

/** A request was answered. */
export function answered(backoff: Backoff): void {
  backoff.failures = backoff.next = backoff.asked = 0;
}

/**
 * A request failed. The wait before the next is drawn from nothing to a bound that doubles ("full jitter", from a
 * quarter of a second to four), and comes on top of what the service asked for, in seconds.
 */
export function failed(backoff: Backoff, now: number, share: number, retryAfter: number = 0): void {
  const most = now < backoff.awoke + JUST_AWAKE ? MOST_AFTER_WAKING : MOST;
  const wait = Math.min(FIRST * 2 ** backoff.failures++, most) * share;
  // What one request was asked to wait for stands while others fail.
  backoff.asked = Math.max(backoff.asked, now + retryAfter * 1000);
  backoff.next = backoff.asked + wait;
}

/** The host is online or awake again: the past says nothing. What the service asked for stands. */
export function woke(backoff: Backoff, now: number): void {
  backoff.failures = 0;
  backoff.next = backoff.asked;
  backoff.awoke = now;
}
