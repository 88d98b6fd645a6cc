// A clock that tests move: nothing waits, and nothing depends on how fast the machine is.

interface Timer {
  readonly at: number;
  readonly call: () => void;
}

export class Clock {
  wall = 1_700_000_000_000;
  running = 5000;
  readonly timers = new Map<number, Timer>();
  private last = 0;

  setTimeout(call: () => void, milliseconds: number): number {
    this.timers.set(++this.last, { at: this.running + Math.max(milliseconds, 0), call });
    return this.last;
  }

  /** Lets time pass, timer by timer, and what they set off with it. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.running + milliseconds;
    await flush();
    for (;;) {
      const [id, next] = this.next() ?? [];
      if (id === undefined || !next || next.at > end) break;
      this.to(next.at);
      this.timers.delete(id);
      next.call();
      await flush();
    }
    this.to(end);
    await flush();
  }

  /** The machine sleeps: the wall clock goes on, and so does the other one if it counts that. */
  suspend(milliseconds: number, counted: boolean): void {
    this.wall += milliseconds;
    if (counted) this.running += milliseconds;
  }

  /** Lets as much time pass as it takes. */
  async through<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const end = () => {
      done = true;
    };
    work.then(end, end);
    for (let i = 0; i < 1000; i++) {
      await flush();
      if (done) return work;
      const [, next] = this.next() ?? [];
      if (!next) continue;
      await this.advance(Math.max(next.at - this.running, 0));
    }
    throw new Error("it takes forever");
  }

  private next(): [number, Timer] | undefined {
    return [...this.timers].sort(([, a], [, b]) => a.at - b.at)[0];
  }

  private to(running: number): void {
    this.wall += Math.max(running - this.running, 0);
    this.running = Math.max(running, this.running);
  }
}

/** Lets everything happen that needs no time. */
export async function flush(): Promise<void> {
  for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve));
}
