// A clock that runs faster than the machine's, so that lifetimes of seconds pass in milliseconds.

/** Time passes so many times as fast as the system's since `base`, in milliseconds since the Unix epoch. */
export interface Fast {
  factor: number;
  base: number;
}

/** What a session needs of its host to live in that time. */
export interface FastClock {
  now(): number;
  running(): number;
  setTimeout(callback: () => void, milliseconds: number): unknown;
}

/** The clock. All that share a base and a factor agree on the time of day, also in other processes. */
export function fastClock({ factor, base }: Fast): FastClock {
  return {
    now: () => base + (Date.now() - base) * factor,
    running: () => performance.now() * factor,
    setTimeout: (callback, milliseconds) => setTimeout(callback, milliseconds / factor),
  };
}
