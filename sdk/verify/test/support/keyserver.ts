// An issuer's keys behind a network that a test decides about, and a verifier of its tokens.
import assert from "node:assert/strict";
import { createVerifier, remoteKeys, type Verifier, type VerifierOptions } from "@daypass/verify";
import { ManualClock, settled, until } from "./clock.js";
import { AUDIENCE, claims, ISSUER, type Json, Key } from "./issuer.js";

export type Reply = () => Response | Promise<Response>;

/** What a network that is not there does. */
export const unreachable: Reply = () => Promise.reject(new TypeError("fetch failed"));

/** Answers requests for keys as it is told, and counts them. */
export class KeyServer {
  requests = 0;
  /** Requests that were called off by whoever made them. */
  calledOff = 0;
  #reply: Reply = () => this.answer([]);
  #once: Reply[] = [];

  publish(keys: readonly Key[]): void {
    this.#reply = () => this.answer(keys);
  }

  always(reply: Reply): void {
    this.#reply = reply;
  }

  next(...replies: Reply[]): void {
    this.#once.push(...replies);
  }

  answer(keys: readonly Key[]): Response {
    return Response.json({ keys: keys.map((key) => key.jwk()) });
  }

  readonly fetch: typeof globalThis.fetch = async (_, init) => {
    this.requests++;
    init?.signal?.addEventListener("abort", () => this.calledOff++);
    return (this.#once.shift() ?? this.#reply)();
  };
}

/** Holds answers back until it is opened. */
export class Gate {
  arrived = 0;
  #open: () => void = () => undefined;
  readonly #opened = new Promise<void>((resolve) => (this.#open = resolve));

  open(): void {
    this.#open();
  }

  hold(reply: Reply): Reply {
    return async () => {
      this.arrived++;
      await this.#opened;
      return reply();
    };
  }
}

export class Harness {
  readonly clock = new ManualClock();
  readonly server = new KeyServer();
  readonly key = new Key("ES256", "k1");
  readonly verifier: Verifier;

  /** A verifier that was just made. */
  constructor(options: Partial<VerifierOptions> = {}, before: (harness: Harness) => void = () => undefined) {
    this.server.publish([this.key]);
    before(this);
    this.verifier = createVerifier({
      issuer: ISSUER,
      audience: AUDIENCE,
      keys: remoteKeys("https://id.example/.well-known/jwks.json"),
      clock: this.clock,
      fetch: this.server.fetch,
      random: () => 0.5,
      ...options,
    });
  }

  /** A verifier that has its issuer's only key. */
  static async warm(options: Partial<VerifierOptions> = {}): Promise<Harness> {
    const harness = new Harness(options);
    await until(() => harness.verifier.health().ready, "ready");
    assert.equal(harness.server.requests, 1);
    return harness;
  }

  get now(): number {
    return Math.floor(this.clock.wall() / 1000);
  }

  get keys() {
    return this.verifier.health().keys;
  }

  /** A new good token of this key. */
  good(key = this.key, changes: Json = {}): string {
    return key.token(key.header(), claims({ jti: `t-${this.#minted++}`, ...changes }, this.now));
  }

  /** A good token, but that it names a key that was never there. */
  madeUp(kid: string, changes: Json = {}): string {
    return this.good(this.key.named(kid), changes);
  }

  /** `ok`, or why not. */
  async verdict(token: string): Promise<string> {
    return this.verifier.verify(token).then(
      () => "ok",
      (error: { code: string }) => error.code,
    );
  }

  /** Moves the time, and waits until the request that is due then has been made and answered. */
  async advanceToFetch(ms: number): Promise<void> {
    const before = this.server.requests;
    this.clock.advance(ms);
    await until(() => this.server.requests === before + 1, "the request");
    await this.rests();
  }

  /** Until nothing is under way: the wait for the next fetch is longer than any of a caller or a request. */
  async rests(): Promise<void> {
    await until(() => this.clock.waits.every((wait) => wait > 2000) && this.clock.waits.length > 0, "rest");
    await settled();
  }

  #minted = 0;
}
