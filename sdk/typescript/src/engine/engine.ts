// The engine under a session: one memory, one renewal at a time, one order of events.

import { type Environment, type Lifecycle, type Release, randomShare } from "../environment.js";
import { SessionError, signedOut, storeFailed, unavailable } from "../errors.js";
import type { Events, SessionState } from "../events.js";
import {
  age,
  type Current,
  isRefusable,
  lifetime,
  type Moment,
  type Need,
  tooYoungToRenewAhead,
} from "../policy.js";
import type { Access, SessionRecord } from "../record.js";
import type { Exchange, Stored, TokenStore } from "../store/store.js";
import type { Transport } from "../wire/pair.js";
import { Flight, type Purpose } from "./flight.js";
import { Handle, type Kept, Memory } from "./memory.js";
import { FAIR_SHARE } from "./tries.js";

/** What a session is described by, checked. */
export interface Setting {
  readonly env: Environment;
  /** The service's URL without a slash at the end. */
  readonly service: string;
  readonly clientId: string | undefined;
  readonly transport: Transport;
  readonly store: TokenStore;
}

/** What somebody wants who asks for an access token. */
export interface Wish {
  /** How long the token has to serve at least, in seconds. */
  readonly minValidity?: number | undefined;
  /** A token that a server has refused with `invalid_token`. */
  readonly rejected?: string | undefined;
}

/** How often a caller looks again after somebody else has signed in. */
const MOST_LOOKS = 16;

type Listeners = { [K in keyof Events]?: Set<(event: Events[K]) => void> };

export class Engine {
  readonly env: Environment;
  readonly service: string;
  readonly clientId: string | undefined;
  readonly transport: Transport;
  readonly store: TokenStore;
  readonly memory: Memory = new Memory();
  /** Whoever changes who is signed in waits for those before him. */
  changing: Promise<unknown> = Promise.resolve();
  private readonly wakes = new Set<(connection: boolean) => void>();
  private readonly listeners: Listeners = {};
  private readonly subscribers = new Set<() => void>();
  private snapshot: SessionState = Object.freeze({ status: "unknown" });
  private told: SessionState = this.snapshot;
  private isTelling = false;
  private readonly closing: Release[] = [];

  constructor({ env, service, clientId, transport, store }: Setting) {
    this.env = env;
    this.service = service;
    this.clientId = clientId;
    this.transport = transport;
    this.store = store;
    this.closing.push(env.lifecycle((what) => this.live(what)));
    const changed = store.subscribe?.(() => {
      this.memory.unseen = true;
      void this.look();
    });
    if (changed) this.closing.push(changed);
    void this.look();
  }

  /** An access token that serves. Everybody who asks meanwhile waits for one renewal, which nobody can stop. */
  async accessToken(wish: Wish): Promise<string> {
    const { rejected } = wish;
    const { memory } = this;
    const came = this.env.running();
    for (let looks = 0; looks < MOST_LOOKS; looks++) {
      const token = this.take(wish);
      if (token !== undefined) return token;
      const joined = memory.flight !== undefined;
      const end = await (memory.flight ?? this.launch(wish)).ended;
      if (end === "overtaken") continue;
      if ("token" in end) {
        // A renewal for somebody else may have brought what does not serve this one.
        if (end.token !== rejected && !(joined && wish.minValidity)) return end.token;
        continue;
      }
      const serving = memory.serving(this.now());
      if (serving !== undefined && serving !== rejected) return serving;
      const cameLate = joined && this.env.running() - came < FAIR_SHARE;
      if (!cameLate || end.error.code !== "unavailable") throw end.error;
    }
    throw unavailable();
  }

  /** The token at hand, if it is what somebody wishes. */
  private take(wish: Wish): string | undefined {
    const { memory } = this;
    const now = this.now();
    const { current } = memory;
    if (!current || (memory.unseen && !memory.flight)) return undefined;
    const { token } = current.access;
    if (token === wish.rejected) return isRefusable(current, now) ? undefined : token;
    const what = this.wished(wish, now);
    if (what === "wait") return undefined;
    if (what === "behind") this.renewAhead();
    return token;
  }

  /** What to do with the token at hand for somebody who wishes it to serve for a while. */
  wished({ minValidity = 0 }: Wish, now: Moment): Need {
    const { current } = this.memory;
    const what = this.memory.need(now);
    if (!current || what === "wait") return "wait";
    // A token that never serves so long is not asked for again and again.
    const short = lifetime(current) - age(current, now) < minValidity * 1000;
    return short && !tooYoungToRenewAhead(current, now) ? "wait" : what;
  }

  /** Starts a renewal if it is time for one ahead of need and none is under way. */
  renewAhead(): Handle | undefined {
    const now = this.now();
    const { memory } = this;
    // While the service is to be left alone nobody has to wait for it either.
    const due = memory.kept && memory.need(now) !== "fresh" && !memory.flight && memory.backoff.wait(now.running) <= 0;
    return due ? this.launch({ ahead: true }) : undefined;
  }

  private launch(purpose: Purpose): Handle {
    const handle = new Handle();
    this.memory.flight = handle;
    void new Flight(this, handle, purpose).run();
    return handle;
  }

  /** Reads the store and takes over what is there, where no renewal does. */
  async look(): Promise<void> {
    try {
      const stored = await this.load();
      if (!this.memory.flight) this.reconcile(stored);
    } catch {
      // Whoever needs it meets the error himself.
      this.memory.unseen = true;
    }
  }

  async load(): Promise<Stored> {
    this.memory.unseen = false;
    try {
      const { version, record } = await this.store.load();
      return { version, record: record && this.isOurs(record) ? record : null };
    } catch (error) {
      throw asStoreError(error);
    }
  }

  async exchange(version: string, record: SessionRecord | null): Promise<Exchange> {
    try {
      return await this.store.compareExchange(version, record);
    } catch (error) {
      throw asStoreError(error);
    }
  }

  /** Takes over what the store holds. Where nothing is, a browser may still have a cookie. */
  reconcile(stored: Stored): Kept | undefined {
    if (!stored.record && this.transport === "cookie" && this.memory.known.is === "unknown") return undefined;
    return this.settle((memory) => memory.reconcile(stored, this.now(), randomShare(this.env)));
  }

  /** Whether a record is of the service, client and transport that this session was made for. */
  private isOurs({ service, clientId, refreshToken }: SessionRecord): boolean {
    const byCookie = this.transport === "cookie";
    return service === this.service && clientId === this.clientId && (refreshToken === undefined) === byCookie;
  }

  /** The access token of a record that was asked for at this moment. */
  current(record: SessionRecord, asked: Moment): Current {
    const jitter = randomShare(this.env);
    return { access: record.access as Access, running: asked.running, here: true, readAt: asked.wall, jitter };
  }

  now(): Moment {
    return { wall: this.env.now(), running: this.env.running() };
  }

  /** Throws that nobody is signed in. */
  signedOut(): SessionError {
    return signedOut(this.memory.reason);
  }

  /** The host is online again, or awake: what waits to be tried again is tried now. */
  wake(connection: boolean): void {
    this.memory.backoff.woke(this.env.running());
    for (const listener of [...this.wakes]) listener(connection);
  }

  onWake(listener: (connection: boolean) => void): Release {
    this.wakes.add(listener);
    return () => void this.wakes.delete(listener);
  }

  private live(what: Lifecycle): void {
    if (what !== "hidden") this.wake(what === "online");
  }

  /** What the session is worth: the same object until that changes. */
  get state(): SessionState {
    const state = this.memory.state(this.now());
    if (!isSame(state, this.snapshot)) this.snapshot = Object.freeze(state);
    return this.snapshot;
  }

  subscribe(listener: () => void): Release {
    const own = () => listener();
    this.subscribers.add(own);
    return () => void this.subscribers.delete(own);
  }

  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): Release {
    const own = (event: Events[K]) => listener(event);
    const all = (this.listeners[name] ??= new Set() as NonNullable<Listeners[K]>);
    all.add(own);
    return () => void all.delete(own);
  }

  /** Changes what is known, and then tells whom it concerns, unless that has to wait for a lock to be given back. */
  settle<T>(change: (memory: Memory) => T, later = false): T {
    const result = change(this.memory);
    if (!later) this.tell();
    return result;
  }

  /** Sends what is to be told, in order. Whoever comes while another is at it leaves it to him. */
  tell(): void {
    if (this.isTelling) return;
    this.isTelling = true;
    try {
      do {
        const { state } = this;
        if (state !== this.told) {
          this.told = state;
          for (const subscriber of [...this.subscribers]) calm(subscriber);
        }
        const told = this.memory.outbox.shift();
        if (!told) continue;
        const all = this.listeners[told.name] as Set<(event: unknown) => void> | undefined;
        for (const listener of [...(all ?? [])]) calm(() => listener(told.event));
      } while (this.memory.outbox.length > 0 || this.state !== this.told);
    } finally {
      this.isTelling = false;
    }
  }

  onClose(release: Release): void {
    this.closing.push(release);
  }

  /** Stops listening. Renewals under way are finished. */
  close(): void {
    for (const release of this.closing.splice(0)) release();
  }
}

function isSame(a: SessionState, b: SessionState): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function asStoreError(error: unknown): SessionError {
  return error instanceof SessionError ? error : storeFailed(error);
}

/** Calls what is not ours. What it throws is its own affair, and is reported as such. */
function calm(call: () => void): void {
  try {
    call();
  } catch (error) {
    const { reportError } = globalThis as { reportError?: (error: unknown) => void };
    if (reportError) reportError(error);
    else
      queueMicrotask(() => {
        throw error;
      });
  }
}
