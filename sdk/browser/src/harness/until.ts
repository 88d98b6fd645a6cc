// Waiting for conditions. Nothing here sleeps for a length of time that has to be long enough: what is awaited either
// comes, or a watchdog says what did not.

/** How long anything may take before it counts as never, in milliseconds. */
export const WATCHDOG = 30_000;

/** How often a condition is looked at that nobody announces, in milliseconds. */
const LOOK = 15;

/** Fails with `what` unless `promise` settles in time. */
export async function soon<T>(what: string, promise: Promise<T>, within = WATCHDOG): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`after ${within} ms still not: ${what}`)), within);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks until `probe` finds something, and gives that. */
export async function until<T>(what: string, probe: () => T | Promise<T>, within = WATCHDOG): Promise<NonNullable<T>> {
  const end = performance.now() + within;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() > end) throw new Error(`after ${within} ms still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

/** A door that is closed until it is opened, and tells when somebody stands before it. */
export class Gate {
  #open!: () => void;
  #arrive!: () => void;
  readonly #opened = new Promise<void>((resolve) => (this.#open = resolve));
  readonly #arrived = new Promise<void>((resolve) => (this.#arrive = resolve));

  open(): void {
    this.#open();
  }

  /** Waits until somebody has come. */
  arrived(what = "somebody comes to the gate"): Promise<void> {
    return soon(what, this.#arrived);
  }

  /** Comes to the gate and waits until it is open. */
  pass(): Promise<void> {
    this.#arrive();
    return this.#opened;
  }
}
