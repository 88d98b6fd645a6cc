// The world around a session: clocks, timers, network, browser. Tests give it another one.

/** Gives a lock back, or stops listening. */
export type Release = () => void;

/** What a lifecycle listener hears of: the network is back, the page can be seen, or not any more, or is frozen. */
export type Lifecycle = "online" | "visible" | "hidden" | "frozen";

/** The part of the Web Locks API that is used. */
export interface Locks {
  request(name: string, options: { signal?: AbortSignal }, callback: () => Promise<void> | void): Promise<unknown>;
}

/** The part of a `BroadcastChannel` that is used. */
export interface Channel {
  postMessage(message: unknown): void;
  onmessage: ((event: { data: unknown }) => void) | null;
  close(): void;
}

/** The part of a `Location` that is used. */
export interface Place {
  readonly href: string;
  assign(url: string): void;
}

/** The part of a `Storage` that is used. */
export interface KeyValue {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/**
 * All that a session needs of its host. The defaults are the platform's own; tests replace what they want to decide
 * themselves.
 */
export interface Environment {
  readonly fetch: typeof globalThis.fetch;
  /** The wall clock, in milliseconds since the Unix epoch. It may be wrong, and it may jump. */
  now(): number;
  /** A clock that never goes back, in milliseconds. If it stops during suspension, the wall clock makes up for it. */
  running(): number;
  setTimeout(callback: () => void, milliseconds: number): unknown;
  clearTimeout(timer: unknown): void;
  /** A number from 0 to below 1, for spreading. Nothing has to be hard to guess in it. */
  random(): number;
  readonly locks: Locks | undefined;
  /** An `IDBFactory`. */
  readonly indexedDB: object | undefined;
  readonly localStorage: KeyValue;
  /** Opens a broadcast channel, where there are any. */
  channel(name: string): Channel | undefined;
  /** Listens to what becomes of page and network. */
  lifecycle(listener: (what: Lifecycle) => void): Release;
  /** Whether anybody can see the page. True where there are no pages. */
  visible(): boolean;
  /** Where the page is, and how to leave it; undefined where there are no pages. */
  readonly location: Place | undefined;
}

interface Host {
  fetch: typeof globalThis.fetch;
  document?: { visibilityState: string };
  navigator?: { locks?: Locks };
  location?: Place;
  indexedDB?: object;
  localStorage: KeyValue;
  BroadcastChannel?: new (name: string) => Channel;
  addEventListener?(
    type: string,
    listener: (event: Heard) => void,
    options: { signal: AbortSignal; capture: true },
  ): void;
}

interface Heard {
  readonly type: string;
  readonly persisted?: boolean;
}

const host = globalThis as unknown as Host;

/** Whether this is a page, or a worker of one. */
export function isBrowser(): boolean {
  return !!host.location;
}

function lifecycle(listener: (what: Lifecycle) => void): Release {
  const hear = ({ type, persisted }: Heard) => {
    // A page that is shown for the first time comes back from nowhere.
    if (persisted === false) return;
    if (type === "visibilitychange") listener(visible() ? "visible" : "hidden");
    else listener(type === "freeze" ? "frozen" : "online");
  };
  const heard = new AbortController();
  // Capturing: what happens to the document does not always bubble up to the window.
  for (const type of ["online", "pageshow", "visibilitychange", "freeze", "resume"]) {
    host.addEventListener?.(type, hear, { signal: heard.signal, capture: true });
  }
  return () => heard.abort();
}

function visible(): boolean {
  return host.document?.visibilityState !== "hidden";
}

/** The platform's own, with what the caller replaces. Merely to look at a storage can be forbidden, and is put off. */
export function environment(replaced: Partial<Environment> = {}): Environment {
  const platform: Environment = {
    fetch: (input, init) => host.fetch(input, init),
    now: () => Date.now(),
    running: () => performance.now(),
    setTimeout: (callback, milliseconds) => setTimeout(callback, milliseconds),
    clearTimeout: (timer) => clearTimeout(timer as number),
    random: Math.random,
    locks: host.navigator?.locks,
    get indexedDB() {
      return host.indexedDB;
    },
    get localStorage() {
      return host.localStorage;
    },
    channel: (name) => host.BroadcastChannel && new host.BroadcastChannel(name),
    lifecycle,
    visible,
    location: host.document && host.location,
  };
  // Copied with their getters: a spread would look.
  return Object.create(platform, Object.getOwnPropertyDescriptors(replaced));
}

/** 160 random bits that nobody can guess, in some fifty digits. */
export function randomId(): string {
  return crypto.getRandomValues(new Uint32Array(5)).join("-");
}

/** What ends by calling `end`, and is called off by the signal `over` if it has not. */
export type Work<T> = (end: (value?: T) => void, over: AbortSignal) => void;

/** Lets something take `limit` milliseconds. Undefined if it takes longer. */
export function within<T>(env: Environment, limit: number, work: Work<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    const over = new AbortController();
    const end = (value?: T) => {
      env.clearTimeout(timer);
      resolve(value);
      over.abort();
    };
    const timer = env.setTimeout(end, limit);
    work(end, over.signal);
  });
}

/** Waits for a lock of the browser's, and goes without after `wait` milliseconds. It is never stolen. */
export function webLock(env: Environment, name: string, wait: number): Promise<Release | undefined> {
  return within(env, wait, (end, signal) => {
    // Where there are no locks, where they are forbidden, or when the wait was in vain.
    const without = () => end();
    (async () => env.locks?.request(name, { signal }, () => new Promise<void>(end)))().then(without, without);
  });
}
