// A clock that a test moves. No test waits for time to pass.
import type { Clock } from "@daypass/verify";

interface Timer {
  readonly at: number;
  readonly then: () => void;
}

/** Begins at a fixed time of day. Both clocks move together, unless a test sets the time of day. */
export class ManualClock implements Clock {
  #wall = 1_750_000_000_000;
  #running = 5_000_000;
  #timers = new Set<Timer>();

  wall(): number {
    return this.#wall;
  }

  running(): number {
    return this.#running;
  }

  after(ms: number, then: () => void): () => void {
    const timer = { at: this.#running + ms, then };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** The waits that are under way, in milliseconds, rounded. */
  get waits(): number[] {
    return [...this.#timers].map((timer) => Math.round(timer.at - this.#running)).sort((a, b) => a - b);
  }

  /** Moves the time, and calls what is due on the way at its time. */
  advance(ms: number): void {
    const end = this.#running + ms;
    for (;;) {
      const [next] = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#move(Math.max(0, next.at - this.#running));
      this.#timers.delete(next);
      next.then();
    }
    this.#move(end - this.#running);
  }

  /** The machine sleeps: time passes, and no timer is called for it. */
  suspend(ms: number): void {
    this.#timers = new Set([...this.#timers].map((timer) => ({ ...timer, at: timer.at + ms })));
    this.#move(ms);
  }

  /** Somebody sets the time of day. */
  setWall(ms: number): void {
    this.#wall = ms;
  }

  #move(ms: number): void {
    this.#wall += ms;
    this.#running += ms;
  }
}

/** Returns as soon as it is so; only against hanging there is an end. */
export async function until(so: () => boolean | Promise<boolean>, what = "it"): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await so())) {
    if (performance.now() > end) throw new Error(`${what} never came`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Lets everything go on that needs no time to pass. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
