/** Keys that the issuer publishes, fetched by one background task and read without waiting. */
import { VerifyError } from "../errors.js";
import type { KeysHealth } from "../health.js";
import type { Scrape } from "../metrics.js";
import { Failed, type FetchFault, parseUrl, send, shown } from "../requests.js";
import type { Surroundings } from "../surroundings.js";
import type { KeyAlgorithm } from "../token/algorithm.js";
import { type JwksFault, MAX_JWKS, readJwks } from "./jwks.js";
import { KeySet, type NumberedKey } from "./keyset.js";
import { FRESH_FOR, GOOD_FOR, type Hope, Schedule } from "./schedule.js";
import { found, type KeySource, type Want } from "./source.js";
import { Waiters } from "./waiters.js";

/** How long a caller waits for a key that is being fetched. */
const LONGEST_WAIT = 1000;
/** How long a request may take, body included. */
const REQUEST_TIMEOUT = 2000;

const FAULTS = [
  "timeout",
  "status",
  "no_usable_key",
  "connect",
  "interrupted",
  "too_large",
  "malformed",
  "too_many_keys",
  "private_material",
] as const satisfies readonly (FetchFault | JwksFault | "status" | "no_usable_key")[];

type KeysFault = (typeof FAULTS)[number];

/** The last good answer, and when it was asked for. */
interface AtHand {
  readonly keys: KeySet;
  readonly asked: number;
}

/** Remote keys in use. */
export class RemoteSource implements KeySource {
  readonly #around: Surroundings;
  readonly #url: URL;
  readonly #algorithms: readonly KeyAlgorithm[];
  readonly #schedule = new Schedule();
  readonly #waiters = new Waiters();
  readonly #stop = new AbortController();
  readonly #outcomes = new Map<KeysFault | "fetched", number>();
  #atHand: AtHand | undefined;
  #lastFault: KeysFault | undefined;
  #cancelTimer: () => void = () => undefined;
  #ends: (() => void)[] = [];

  constructor(around: Surroundings, url: string, allowHttp: boolean, algorithms: readonly KeyAlgorithm[]) {
    this.#around = around;
    this.#url = parseUrl(url, allowHttp);
    this.#algorithms = algorithms;
    this.#wake();
  }

  holds(number: number): boolean {
    return this.#good()?.has(number) === true;
  }

  find(want: Want): NumberedKey | Promise<NumberedKey> {
    const looked = this.#look(want);
    return looked === undefined ? this.#wait(want) : found(looked);
  }

  health(): KeysHealth {
    const age = this.#atHand === undefined ? undefined : this.#age(this.#atHand);
    return {
      usable: age !== undefined && age < GOOD_FOR,
      number: this.#atHand?.keys.size ?? 0,
      ageSeconds: age === undefined ? undefined : Math.floor(age / 1000),
      lastError: this.#lastFault,
    };
  }

  measure(into: Scrape): void {
    if (this.#atHand !== undefined) {
      into.gauge("keys_age_seconds", "Time since the last good answer was asked for", this.#age(this.#atHand) / 1000);
    }
    for (const outcome of ["fetched", ...FAULTS] as const) {
      const help = "Requests for the issuer's keys, by what became of them";
      into.counter("jwks_fetches", help, this.#outcomes.get(outcome) ?? 0, { outcome });
    }
  }

  close(): void {
    this.#stop.abort();
    this.#cancelTimer();
    this.#tellEnd();
  }

  #age(atHand: AtHand): number {
    return this.#around.clock.running() - atHand.asked;
  }

  /** The keys, if they may be relied upon. A timer stands still in a suspend: whoever finds them overdue wakes it. */
  #good(): KeySet | undefined {
    if (this.#atHand === undefined) return undefined;
    const age = this.#age(this.#atHand);
    if (age >= FRESH_FOR) this.#wake();
    return age < GOOD_FOR ? this.#atHand.keys : undefined;
  }

  #look(want: Want): NumberedKey | VerifyError | undefined {
    return this.#good()?.find(want.kid, want.alg);
  }

  async #wait(want: Want): Promise<NumberedKey> {
    const leave = this.#waiters.enter(want.header);
    if (leave === undefined) throw unavailable(LONGEST_WAIT);
    const limit = this.#limit();
    try {
      for (;;) {
        const hope = this.#hope(want);
        // A fetch that is under way may have been answered before the key was made: it is no last word.
        const isLast = hope.kind === "next";
        if (hope.kind === "none") throw unavailable(hope.restMs);
        if (!(await this.#ended(hope.number, limit))) throw unavailable(LONGEST_WAIT);
        const looked = this.#look(want);
        if (looked !== undefined) return found(looked);
        if (this.#schedule.outcome(hope.number) !== "fetched") throw unavailable(this.#rest());
        if (isLast) return found(undefined);
      }
    } finally {
      leave();
      limit.cancel();
    }
  }

  /** Asks for a fetch if there may be one. Refuses the token if there is no such key for certain. */
  #hope(want: Want): Hope {
    const now = this.#around.clock.running();
    const hope = this.#schedule.miss(now);
    // Whoever comes in the same turn is served by the same fetch, and it is the last word for all of them.
    if (hope.kind === "next") queueMicrotask(() => this.#wake());
    const asked = this.#schedule.unbroken;
    if (hope.kind === "none" && asked !== undefined) {
      // A key is published before it signs: one that should have been there when these were asked for does not exist.
      // Reckoned back from now, so that a step of the wall clock since then does not count.
      const askedOnTheWall = Math.floor((this.#around.clock.wall() - (now - asked)) / 1000);
      if (want.publishedBy < askedOnTheWall) found(undefined);
    }
    return hope;
  }

  /** A second from now on. */
  #limit(): { readonly over: Promise<false>; cancel(): void } {
    let cancel: () => void = () => undefined;
    const over = new Promise<false>((resolve) => {
      cancel = this.#around.clock.after(LONGEST_WAIT, () => resolve(false));
    });
    return { over, cancel };
  }

  /** Waits for the end of a fetch: true if it came in time. */
  async #ended(number: number, limit: { readonly over: Promise<false> }): Promise<boolean> {
    while (this.#schedule.outcome(number) === "pending") {
      if (this.#stop.signal.aborted) return false;
      const end = new Promise<true>((resolve) => this.#ends.push(() => resolve(true)));
      if (!(await Promise.race([end, limit.over]))) return this.#schedule.outcome(number) !== "pending";
    }
    return true;
  }

  #rest(): number {
    return Math.max(LONGEST_WAIT, this.#schedule.rest(this.#around.clock.running()));
  }

  /** Fetches if it is time to, or sees to it that somebody looks again when it is. */
  #wake(): void {
    if (this.#schedule.isRunning || this.#stop.signal.aborted) return;
    this.#cancelTimer();
    const next = this.#schedule.next(this.#around.clock.running());
    if (next === "fetch") void this.#fetch();
    else this.#cancelTimer = this.#around.clock.after(next.waitMs, () => this.#wake());
  }

  async #fetch(): Promise<void> {
    const asked = this.#around.clock.running();
    const answer = await this.#ask();
    if (this.#stop.signal.aborted) return;
    const outcome = typeof answer === "string" ? answer : "fetched";
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    const now = this.#around.clock.running();
    if (typeof answer === "string") {
      this.#schedule.failed(now);
      this.#lastFault = answer;
      this.#around.log?.warn(`the issuer's keys cannot be fetched from ${shown(this.#url)}: ${answer}`);
    } else {
      this.#atHand = { keys: new KeySet(answer, this.#atHand?.keys), asked };
      this.#schedule.fetched(now);
      if (this.#lastFault !== undefined) {
        this.#around.log?.info(`the issuer's keys can be fetched again from ${shown(this.#url)}`);
      }
      this.#lastFault = undefined;
    }
    this.#tellEnd();
    this.#wake();
  }

  /** One request. The content type is not looked at: static file servers give any. */
  async #ask() {
    try {
      const headers = { accept: "application/jwk-set+json, application/json;q=0.9, */*;q=0.1" };
      const limits = { most: MAX_JWKS, timeoutMs: REQUEST_TIMEOUT, stop: this.#stop.signal };
      const answer = await send(this.#around, this.#url, { headers }, limits);
      if (answer.status !== 200) return "status";
      const keys = await readJwks(answer.body);
      if (typeof keys === "string") return keys;
      return keys.some((key) => this.#algorithms.includes(key.alg)) ? keys : "no_usable_key";
    } catch (error) {
      return error instanceof Failed ? (error.fault as FetchFault) : "interrupted";
    }
  }

  #tellEnd(): void {
    const waiting = this.#ends;
    this.#ends = [];
    for (const tell of waiting) tell();
  }
}

function unavailable(retryAfterMs: number): VerifyError {
  return new VerifyError("keys_unavailable", "the issuer's keys cannot be had now", { retryAfterMs });
}
