// The world around a session: clocks, timers, network, browser. Tests give it another one.

/** Gives a lock back, or stops listening. */
export type Release = () => void;

/** What a lifecycle listener hears of: the network is back, the page can be seen, or not any more. */
export type Lifecycle = "online" | "visible" | "hidden";

/** The part of the Web Locks API that is used. */
export interface Locks {
  request(
    name: string,
    options: { signal?: AbortSignal },
    callback: () => Promise<void> | void,
  ): Promise<unknown>;
}

/** The part of a `BroadcastChannel` that is used. */
export interface Channel {
  postMessage(message: unknown): void;
  onmessage: ((event: { data: unknown }) => void) | null;
  close(): void;
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
  /** Fills an array with bytes that nobody can guess. */
  random(bytes: Uint8Array): void;
  readonly locks: Locks | undefined;
  /** An `IDBFactory`. */
  readonly indexedDB: object | undefined;
  readonly localStorage: KeyValue | undefined;
  /** Opens a broadcast channel, where there are any. */
  channel(name: string): Channel | undefined;
  /** Listens to what becomes of page and network. */
  lifecycle(listener: (what: Lifecycle) => void): Release;
  /** Whether anybody can see the page. True where there are no pages. */
  visible(): boolean;
  /** Where the page is; undefined where there are no pages. */
  location(): string | undefined;
  /** Leaves the page for another. */
  navigate(url: string): void;
}

interface Target {
  addEventListener(type: string, listener: (event: { persisted?: boolean }) => void): void;
  removeEventListener(type: string, listener: (event: { persisted?: boolean }) => void): void;
}

interface Host {
  fetch: typeof globalThis.fetch;
  document?: Target & { visibilityState: string };
  window?: Target;
  navigator?: { locks?: Locks };
  location?: { href: string; assign(url: string): void };
  indexedDB?: object;
  localStorage?: KeyValue;
  BroadcastChannel?: new (name: string) => Channel;
}

const host = globalThis as unknown as Host;

/** Whether this is a page, or a worker of one. */
export function isBrowser(): boolean {
  return host.location !== undefined && host.navigator !== undefined;
}

/** Reads a member of the host's, where even looking can be forbidden. */
function tolerant<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function lifecycle(listener: (what: Lifecycle) => void): Release {
  const { window, document } = host;
  const online = () => listener("online");
  const shown = (event: { persisted?: boolean }) => event.persisted === true && listener("online");
  const seen = () => listener(visible() ? "visible" : "hidden");
  window?.addEventListener("online", online);
  window?.addEventListener("pageshow", shown);
  document?.addEventListener("visibilitychange", seen);
  return () => {
    window?.removeEventListener("online", online);
    window?.removeEventListener("pageshow", shown);
    document?.removeEventListener("visibilitychange", seen);
  };
}

function visible(): boolean {
  return host.document?.visibilityState !== "hidden";
}

/** The platform's own, with what the caller replaces. */
export function environment(replaced: Partial<Environment> = {}): Environment {
  return {
    fetch: (input, init) => host.fetch(input, init),
    now: () => Date.now(),
    running: () => performance.now(),
    setTimeout: (callback, milliseconds) => setTimeout(callback, milliseconds),
    clearTimeout: (timer) => clearTimeout(timer as number),
    random: (bytes) => void crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>),
    locks: host.navigator?.locks,
    indexedDB: tolerant(() => host.indexedDB),
    localStorage: isBrowser() ? tolerant(() => host.localStorage) : undefined,
    channel: (name) => tolerant(() => host.BroadcastChannel && new host.BroadcastChannel(name)),
    lifecycle,
    visible,
    location: () => (host.document ? host.location?.href : undefined),
    navigate: (url) => host.location?.assign(url),
    ...replaced,
  };
}

/** 128 random bits, base64url: 22 characters. */
export function randomId(env: Environment): string {
  const bytes = new Uint8Array(16);
  env.random(bytes);
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .slice(0, 22);
}

/** A number from 0 to below 1, for spreading. */
export function randomShare(env: Environment): number {
  const bytes = new Uint8Array(4);
  env.random(bytes);
  return new DataView(bytes.buffer).getUint32(0) / 2 ** 32;
}

/** Waits for a lock of the browser's, and goes without after `wait` milliseconds. It is never stolen. */
export function webLock(env: Environment, name: string, wait: number): Promise<Release | null> {
  return new Promise((resolve) => {
    const given = new AbortController();
    const timer = env.setTimeout(() => given.abort(), wait);
    const held = (release: Release | null) => {
      env.clearTimeout(timer);
      resolve(release);
    };
    const asked = async () => {
      await env.locks?.request(name, { signal: given.signal }, () => new Promise<void>(held));
    };
    // Where there are no locks, where they are forbidden, or when the wait was in vain.
    asked().catch(() => undefined).then(() => held(null));
  });
}
