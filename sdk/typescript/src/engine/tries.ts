// Asking again, for as long as it makes sense.

import { randomShare } from "../environment.js";
import { type SessionError, unavailable } from "../errors.js";
import { type Answer, nothing, type Reply, readRefresh } from "../wire/answer.js";
import { logoutRequest, type ServiceRequest } from "../wire/request.js";
import type { Backoff } from "./backoff.js";
import type { Engine } from "./engine.js";

/** How long one request may take, and how long all tries together, in milliseconds. */
const ATTEMPT = 10_000;
const BUDGET = 20_000;
/** A wait that takes this much longer than it should was a suspension of the machine. */
const SUSPENDED = 2000;
/** The last try has this long at least, however little remains. */
const LEAST = 1000;
/** How often coming back starts the time anew: a host that says so all the time must not wait forever. */
const MOST_RETURNS = 8;
/** The largest answer that is looked at, in characters. */
const LARGEST = 65_536;

/** A caller who came late to a renewal that failed, and has waited for less than this, has another tried. */
export const FAIR_SHARE: number = BUDGET / 2;

/** Several tries at one thing. How long to wait between them is the engine's knowledge, and lasts. */
export class Tries {
  /** When the first try was, or when the host came back. */
  private began: number;
  private returns = 0;
  private hasFailed = false;

  /** With a back-off of its own, no renewal has to wait for what fails here. */
  constructor(
    private readonly engine: Engine,
    private readonly apart?: Backoff,
  ) {
    this.began = engine.env.running();
  }

  private get backoff(): Backoff {
    return this.apart ?? this.engine.memory.backoff;
  }

  /** Waits until a request may leave, and tells whether it had to or this is not the first. Throws if that takes too long. */
  async ready(): Promise<boolean> {
    let waited = this.hasFailed;
    for (;;) {
      const now = this.engine.env.running();
      const wait = this.backoff.wait(now);
      const left = this.began + BUDGET - now;
      if (wait > left || (this.hasFailed && left <= 0)) throw this.unavailable();
      if (wait <= 0) return waited;
      waited = true;
      await this.within(wait, () => new Promise<never>(() => undefined), true);
    }
  }

  unavailable(): SessionError {
    return unavailable(this.backoff.retryAfter(this.engine.env.running()));
  }

  /**
   * One request. Undefined: there was no answer in time, or not a whole one, or the host has come back and the
   * connection is not to be trusted.
   */
  async attempt(request: ServiceRequest, stop?: AbortSignal): Promise<Reply | undefined> {
    const left = this.began + BUDGET - this.engine.env.running();
    const limit = Math.min(ATTEMPT, Math.max(left, LEAST));
    const cut = new AbortController();
    const stopped = new Promise<undefined>((resolve) => {
      cut.signal.addEventListener("abort", () => resolve(undefined));
    });
    const cancel = () => cut.abort();
    stop?.addEventListener("abort", cancel);
    if (stop?.aborted) cancel();
    try {
      const work = () => Promise.race([send(this.engine, request, cut.signal), stopped]);
      return await this.within(limit, work, false);
    } catch {
      return undefined;
    } finally {
      cancel();
      stop?.removeEventListener("abort", cancel);
    }
  }

  /** One request for tokens, and what was said to it. */
  async ask(request: ServiceRequest, stop?: AbortSignal): Promise<Answer> {
    const { engine } = this;
    const reply = await this.attempt(request, stop);
    const answer: Answer = reply ? readRefresh(reply, engine.transport) : { is: "nothing" };
    switch (answer.is) {
      case "nothing":
        this.failed(answer.retryAfter);
        break;
      case "denied":
        // The service is there, and would say the same again: whoever asks again does so no faster.
        this.failed();
        engine.settle((memory) => memory.reachable());
        break;
      case "mismatch":
        engine.settle((memory) => memory.reachable());
        break;
      default:
        engine.settle((memory) => memory.reached());
    }
    return answer;
  }

  /** Something was in vain: the next try waits. */
  failed(retryAfter?: number): void {
    this.hasFailed = true;
    const { env } = this.engine;
    this.backoff.failed(env.running(), retryAfter, randomShare(env));
  }

  /** Ends the session of a refresh token or of the cookie. It is over when the service has said so. */
  async logOut(token: string | undefined, stop?: AbortSignal): Promise<void> {
    for (;;) {
      await this.ready();
      const reply = await this.attempt(logoutRequest(this.engine.service, token), stop);
      if (reply?.status === 204) {
        this.engine.settle((memory) => memory.reachable());
        return;
      }
      const said = reply && nothing(reply);
      this.failed(said?.is === "nothing" ? said.retryAfter : undefined);
    }
  }

  /** Lets something take `limit` milliseconds, unless the host comes back in the meantime. */
  private async within<T>(limit: number, work: () => Promise<T>, any: boolean): Promise<T | undefined> {
    const { env } = this.engine;
    const began = env.running();
    let timer: unknown;
    let deaf: (() => void) | undefined;
    const time = new Promise<undefined>((resolve) => {
      timer = env.setTimeout(() => {
        // Most of what looks like an endless wait is a machine that slept.
        if (env.running() - began > limit + SUSPENDED) {
          this.backoff.woke(env.running());
          this.cameBack();
        }
        resolve(undefined);
      }, limit);
    });
    const wake = new Promise<undefined>((resolve) => {
      deaf = this.engine.onWake((connection) => {
        this.apart?.woke(env.running());
        if (this.returns >= MOST_RETURNS || !(connection || any)) return;
        this.cameBack();
        resolve(undefined);
      });
    });
    try {
      return await Promise.race([work(), time, wake]);
    } finally {
      env.clearTimeout(timer);
      deaf?.();
    }
  }

  private cameBack(): void {
    if (this.returns >= MOST_RETURNS) return;
    this.returns++;
    this.began = this.engine.env.running();
  }
}

/** Sends a request, follows no redirect, and reads the answer whole. */
export async function send(
  { env }: Pick<Engine, "env">,
  { url, method, headers, body, credentials }: ServiceRequest,
  signal: AbortSignal,
): Promise<Reply | undefined> {
  const byCookie = credentials === "include";
  const response = await env.fetch(url, {
    method,
    headers: { ...headers },
    ...(body !== undefined && { body }),
    credentials,
    // A redirect would carry the refresh token to wherever it points.
    redirect: "manual",
    cache: "no-store",
    // The cookie that an answer sets is kept even if the page is closed meanwhile.
    ...(byCookie && { keepalive: true }),
    signal,
  });
  const text = await response.text();
  if (text.length > LARGEST) return undefined;
  return { status: response.status, headers: response.headers, body: text };
}
