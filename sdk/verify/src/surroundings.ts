/** Time, chance and the network: everything that a verifier takes from outside, so that a test can stand in for it. */
import { uptime } from "node:os";

/** Two clocks and a timer, all in milliseconds. */
export interface Clock {
  /** The time of day, since 1970. */
  wall(): number;
  /** A clock that never goes back, and runs on while the machine is suspended. */
  running(): number;
  /** Calls back after so long, and keeps no process alive for it. Returns what calls it off. */
  after(ms: number, then: () => void): () => void;
}

/** What a verifier takes from outside. */
export interface Surroundings {
  readonly clock: Clock;
  /** `fetch` as Node has it. */
  readonly fetch: typeof globalThis.fetch;
  /** A number from 0 to below 1, for spreading requests. */
  readonly random: () => number;
  /** Where outages are told: `console`, or anything with these two. By default nowhere. */
  readonly log: Log | undefined;
}

/** A log. Nothing that is given to it holds a token or a secret. */
export interface Log {
  info(message: string): void;
  warn(message: string): void;
}

/** The longest delay that `setTimeout` takes. */
const LONGEST_TIMER = 2 ** 31 - 1;
/** The time of day moves against Node's clock by this much only in a suspend, or when somebody sets it. */
const NOTICEABLE = 1500;

/** Readings that the system clock is made of. */
export interface Readings {
  wall(): number;
  /** Stands still while the machine is suspended, as Node's does. */
  awake(): number;
  /** Seconds since the machine was started, suspends included; it may be whole seconds, and costs a system call. */
  uptime(): number;
}

/** The clock of this machine. */
export function systemClock(
  readings: Readings = { wall: () => Date.now(), awake: () => performance.now(), uptime },
): Clock {
  let ahead = readings.wall() - readings.awake();
  const up = readings.uptime() * 1000 - readings.awake();
  let slept = 0;
  return {
    wall: readings.wall,
    running: () => {
      const awake = readings.awake();
      const now = readings.wall() - awake;
      if (Math.abs(now - ahead) > NOTICEABLE) {
        // Either somebody set the time of day, or the machine was suspended: then it has been up for longer.
        ahead = now;
        const longer = readings.uptime() * 1000 - awake - up;
        if (longer > slept + NOTICEABLE) slept = longer;
      }
      return awake + slept;
    },
    after: (ms, then) => {
      const timer = setTimeout(then, Math.min(Math.max(0, ms), LONGEST_TIMER));
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}
