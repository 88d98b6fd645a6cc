/** How many callers wait for keys at a time. */

/** How many different keys are waited for at a time. */
const MAX_KEYS = 64;
/** How many callers wait at a time, for whichever keys. */
const MAX_CALLERS = 1024;

/** Counts the callers that wait. */
export class Waiters {
  readonly #counts = new Map<string, number>();
  #callers = 0;

  /** Takes a place for somebody who wants this key, and returns what gives it back; `undefined` if none is free. */
  enter(key: string): (() => void) | undefined {
    const count = this.#counts.get(key);
    if (this.#callers >= MAX_CALLERS || (count === undefined && this.#counts.size >= MAX_KEYS)) return undefined;
    this.#counts.set(key, (count ?? 0) + 1);
    this.#callers++;
    return () => this.#leave(key);
  }

  #leave(key: string): void {
    this.#callers--;
    const left = (this.#counts.get(key) ?? 1) - 1;
    if (left === 0) this.#counts.delete(key);
    else this.#counts.set(key, left);
  }
}
