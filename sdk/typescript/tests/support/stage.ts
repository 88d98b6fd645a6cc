// A stage for a test: a clock, a service, and sessions in as many tabs or processes as are wanted.

import {
  createSession,
  type Environment,
  type Events,
  type Lifecycle,
  memoryStore,
  type Session,
  type SessionOptions,
  type SessionRecord,
  type TokenStore,
} from "@daypass/client";
import { IDBFactory } from "fake-indexeddb";
import { Clock, flush } from "./clock.js";
import { API, Jar, SERVICE, Service } from "./service.js";

export const ADA = { username: "ada", password: "right" };
export const REFRESH = "/v1/refresh";
export const LOGOUT = "/v1/logout";

/** Web Locks of one browser. */
class Locks {
  readonly queues = new Map<string, Promise<unknown>>();
  stolen = 0;

  async request(
    name: string,
    { signal, ...options }: { signal?: AbortSignal; steal?: boolean },
    callback: () => Promise<void> | void,
  ): Promise<unknown> {
    if (options.steal) this.stolen++;
    const before = this.queues.get(name) ?? Promise.resolve();
    let end!: () => void;
    const mine = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.queues.set(
      name,
      before.then(() => mine),
    );
    try {
      await Promise.race([
        before,
        new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
      ]);
      await callback();
    } finally {
      end();
    }
    return undefined;
  }
}

/** What the tabs of a browser share. */
export class Browser {
  readonly jar = new Jar();
  readonly locks = new Locks();
  indexedDB: object | undefined = new IDBFactory();
  private readonly channels = new Map<string, Set<{ onmessage: ((event: { data: unknown }) => void) | null }>>();

  channel(name: string) {
    const all = this.channels.get(name) ?? new Set();
    this.channels.set(name, all);
    const own = {
      onmessage: null as ((event: { data: unknown }) => void) | null,
      postMessage: (data: unknown) => {
        const copy = structuredClone(data);
        for (const other of all) if (other !== own) setImmediate(() => other.onmessage?.({ data: copy }));
      },
      close: () => void all.delete(own),
    };
    all.add(own);
    return own;
  }
}

export interface Tab {
  readonly session: Session;
  readonly events: [keyof Events, unknown][];
  readonly env: { visible: boolean };
  live(what: Lifecycle): unknown;
}

export class Stage {
  readonly clock = new Clock();
  readonly service = new Service(this.clock);
  store: TokenStore = memoryStore();
  /** What is drawn for jitter. */
  share = 0.5;

  environment(browser?: Browser, live?: Set<(what: Lifecycle) => void>, state = { visible: true }): Environment {
    const { clock } = this;
    return {
      fetch: this.service.fetch(browser?.jar),
      now: () => clock.wall,
      running: () => clock.running,
      setTimeout: (call, milliseconds) => clock.setTimeout(call, milliseconds),
      clearTimeout: (timer) => void clock.timers.delete(timer as number),
      random: () => this.share,
      locks: browser?.locks,
      indexedDB: browser?.indexedDB,
      localStorage: undefined as never,
      channel: (name) => browser?.channel(name),
      lifecycle: (listener) => {
        live?.add(listener);
        return () => void live?.delete(listener);
      },
      visible: () => state.visible,
      location: undefined,
    };
  }

  /** A session of a program, or in a tab of a browser. */
  open(options: Partial<SessionOptions> = {}, browser?: Browser): Tab {
    const live = new Set<(what: Lifecycle) => void>();
    const env = { visible: true };
    const session = createSession({
      baseUrl: SERVICE,
      allowedOrigins: [API],
      ...(browser ? { transport: "cookie" } : { transport: "token", store: this.store }),
      ...options,
      environment: { ...this.environment(browser, live, env), ...options.environment },
    });
    const events: Tab["events"] = [];
    const names = [
      "signedin",
      "signedout",
      "refreshed",
      "unreachable",
      "reachable",
      "persistfailed",
      "persisted",
      "skew",
    ] as const;
    for (const name of names) session.on(name, (event) => events.push([name, event]));
    return { session, events, env, live: (what) => [...live].map((listener) => listener(what)) };
  }

  /** A session of somebody who is signed in. */
  async signedIn(options?: Partial<SessionOptions>, browser?: Browser): Promise<Tab> {
    const tab = this.open(options, browser);
    await this.clock.through(tab.session.signIn(ADA));
    tab.events.length = 0;
    return tab;
  }

  /** The same, whose access token has expired. */
  async expired(options?: Partial<SessionOptions>, browser?: Browser): Promise<Tab> {
    const tab = await this.signedIn(options, browser);
    await this.clock.advance(this.service.lifetime * 1000);
    return tab;
  }

  async record(): Promise<SessionRecord | null> {
    return (await this.store.load()).record;
  }
}

/** Something that others wait for. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

/** Waits until something is so, without counting on time. */
export async function until(is: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (is()) return;
    await flush();
  }
  throw new Error("it never came");
}

/** Calls to a store never end that begin while this says so; with `late`, what they ask for is done all the same. */
export function hanging(
  store: TokenStore,
): TokenStore & { hangs: "load" | "compareExchange" | undefined; late: boolean } {
  const never = new Promise<never>(() => undefined);
  return {
    ...store,
    hangs: undefined,
    late: false,
    load() {
      return this.hangs === "load" ? never : store.load();
    },
    compareExchange(version, record) {
      if (this.hangs !== "compareExchange") return store.compareExchange(version, record);
      if (this.late) void store.compareExchange(version, record);
      return never;
    },
  };
}

/** Calls to a store fail while this says so. */
export function failing(store: TokenStore): TokenStore & { fails: boolean; written: (SessionRecord | null)[] } {
  return {
    ...store,
    fails: false,
    written: [],
    async compareExchange(version, record) {
      if (this.fails) throw new Error("no space left");
      this.written.push(record);
      return store.compareExchange(version, record);
    },
  };
}
