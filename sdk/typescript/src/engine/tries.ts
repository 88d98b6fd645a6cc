// Asking again, for as long as it makes sense.

import { randomShare } from "../environment.js";
import { type SessionError, unavailable } from "../errors.js";
import { type Answer, type Reply, readRefresh } from "../wire/answer.js";
import { logoutRequest, type ServiceRequest } from "../wire/request.js";
import { type Backoff, failed, noBackoff } from "./backoff.js";
import { type Engine, enlist, reachable, tell, wake } from "./engine.js";

/** How long one request may take, and how long all tries together, in milliseconds. */
const ATTEMPT = 10_000;
const BUDGET = 20_000;
/** The last try has this long at least, however little remains. */
const LEAST = 1000;
/** A host that comes back all the time must not make anybody wait for longer than this. */
const LONGEST = 8 * BUDGET;
/** A wait that takes this much longer than it should was a suspension of the machine. */
const SUSPENDED = 2000;
/** The largest answer that is looked at, in characters. */
const LARGEST = 65_536;

/** Several tries at one thing. */
export interface Tries {
  /** When the first one was. */
  readonly began: number;
  hasFailed: boolean;
  /** What is known of the service: the engine's knowledge, or one's own where no renewal has to wait for what fails. */
  readonly backoff: Backoff;
}

export function newTries({ env }: Engine, backoff: Backoff): Tries {
  return { began: env.running(), hasFailed: false, backoff };
}

/** How long there is still time. It begins anew when the host comes back. */
function timeLeft(engine: Engine, { began, backoff }: Tries): number {
  return Math.max(began, Math.min(backoff.awoke, began + LONGEST)) + BUDGET - engine.env.running();
}

/** Waits until a request may leave, and tells whether it had to or this is not the first. Throws if that takes too long. */
export async function ready(engine: Engine, tries: Tries): Promise<boolean> {
  let waited = tries.hasFailed;
  for (;;) {
    const { backoff } = tries;
    const wait = backoff.next - engine.env.running();
    const left = timeLeft(engine, tries);
    if (wait > left || (tries.hasFailed && left <= 0)) throw gaveUp(engine, tries);
    if (wait <= 0) return waited;
    waited = true;
    await within(engine, wait);
    // One's own knowledge is of before the host came back.
    if (backoff.awoke < engine.backoff.awoke) Object.assign(backoff, noBackoff(engine.backoff.awoke));
  }
}

export function gaveUp({ env }: Engine, { backoff }: Tries): SessionError {
  const wait = (backoff.asked - env.running()) / 1000;
  return unavailable(wait > 0 ? wait : undefined);
}

/**
 * One request. Undefined: there was no answer in time, or not a whole one, or the host has come back and the
 * connection is not to be trusted, or nobody wants the answer any more.
 */
export async function attempt(
  engine: Engine,
  tries: Tries,
  request: ServiceRequest,
  stop?: AbortSignal,
): Promise<Reply | undefined> {
  const cut = new AbortController();
  const cancel = () => cut.abort();
  const limit = Math.min(ATTEMPT, Math.max(timeLeft(engine, tries), LEAST));
  stop?.addEventListener("abort", cancel);
  try {
    if (stop?.aborted) return undefined;
    return await within(engine, limit, send(engine, request, cut.signal), cut.signal);
  } catch {
    return undefined;
  } finally {
    cancel();
    stop?.removeEventListener("abort", cancel);
  }
}

/** One request for tokens, and what was said to it. */
export async function ask(
  engine: Engine,
  tries: Tries,
  request: ServiceRequest,
  stop: AbortSignal,
): Promise<Answer> {
  const reply = await attempt(engine, tries, request, stop);
  const answer: Answer = reply ? readRefresh(reply, engine.transport) : { is: "nothing" };
  if (answer.is === "nothing") {
    inVain(engine, tries, answer.retryAfter);
    return answer;
  }
  // Who is denied would be told the same again: whoever asks again does so no faster.
  if (answer.is === "denied") inVain(engine, tries);
  else if (answer.is !== "mismatch") Object.assign(tries.backoff, noBackoff(tries.backoff.awoke));
  reachable(engine);
  return answer;
}

/** Something was in vain: the next try waits. */
export function inVain({ env }: Engine, tries: Tries, retryAfter?: number): void {
  tries.hasFailed = true;
  failed(tries.backoff, env.running(), randomShare(env), retryAfter);
}

/** Ends the session of a refresh token or of the cookie. It is over when the service has said so. */
export async function logOut(engine: Engine, token: string | undefined, stop?: AbortSignal): Promise<void> {
  const tries = newTries(engine, { ...engine.backoff });
  for (;;) {
    await ready(engine, tries);
    const reply = await attempt(engine, tries, logoutRequest(engine.service, token), stop);
    if (reply?.status === 204) return reachable(engine);
    const said = reply && readRefresh(reply, engine.transport);
    inVain(engine, tries, said?.is === "nothing" ? said.retryAfter : undefined);
  }
}

/** Ends a session at the service as far as that can be done, while nobody waits for it. */
export function logOutBehind(engine: Engine, token: string | undefined): void {
  if (token) logOut(engine, token).then(() => tell(engine), () => undefined);
}

/**
 * Lets something take `limit` milliseconds, or waits for so long, unless the host comes back in the meantime. A request
 * is stopped by its signal, and goes on when the page is merely seen again.
 */
async function within<T>(
  engine: Engine,
  limit: number,
  work?: Promise<T>,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const { env } = engine;
  const began = env.running();
  let end!: (value: T | PromiseLike<T> | undefined) => void;
  let fail!: (error: unknown) => void;
  const ended = new Promise<T | undefined>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  const timer = env.setTimeout(() => {
    // Most of what looks like an endless wait is a machine that slept.
    if (env.running() - began > limit + SUSPENDED) wake(engine, true);
    end(undefined);
  }, limit);
  const deaf = enlist(engine.wakers, (connection) => {
    if (connection || !work) end(undefined);
  });
  signal?.addEventListener("abort", fail);
  work?.then(end, fail);
  return ended.finally(() => {
    env.clearTimeout(timer);
    deaf();
  });
}

/** Sends a request, follows no redirect, and reads the answer whole. */
export async function send(
  { env }: Engine,
  { url, ...request }: ServiceRequest,
  signal: AbortSignal,
): Promise<Reply | undefined> {
  const response = await env.fetch(url, {
    ...request,
    // A redirect would carry the refresh token to wherever it points.
    redirect: "manual",
    cache: "no-store",
    // The cookie that an answer sets is kept even if the page is closed meanwhile.
    keepalive: request.credentials === "include",
    signal,
  });
  const body = await response.text();
  return body.length > LARGEST ? undefined : { status: response.status, headers: response.headers, body };
}
