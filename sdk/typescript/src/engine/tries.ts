// Asking again, for as long as it makes sense.

import type { Release } from "../environment.js";
import { type SessionError, unavailable } from "../errors.js";
import { type Answer, type Reply, readRefresh } from "../wire/answer.js";
import { logoutRequest, type ServiceRequest } from "../wire/request.js";
import { retryAfter } from "../wire/retry-after.js";
import { answered, failed } from "./backoff.js";
import { type Engine, enlist, reachable, tell, wake } from "./engine.js";

/** How long one request may take, and how long all tries together, in milliseconds. */
const ATTEMPT = 10_000;
const BUDGET = 20_000;
/** A host that comes back all the time must not make anybody wait for longer than this. */
const LONGEST = 8 * BUDGET;
/** A wait that takes this much longer than it should was a suspension of the machine. */
const SUSPENDED = 2000;
/** Several tries at one thing. */
export interface Tries {
  /** When the first one was. */
  readonly began: number;
  hasFailed: boolean;
}

export function newTries({ env }: Engine): Tries {
  return { began: env.running(), hasFailed: false };
}

/** How long there is still time. It begins anew when the host comes back. */
function timeLeft({ env, backoff }: Engine, { began }: Tries): number {
  return Math.max(began, Math.min(backoff.awoke, began + LONGEST)) + BUDGET - env.running();
}

/** Waits until a request may leave, and tells whether it had to or this is not the first. Throws if that takes too long. */
export async function ready(engine: Engine, tries: Tries): Promise<boolean> {
  let waited = tries.hasFailed;
  for (;;) {
    const wait = engine.backoff.next - engine.env.running();
    const left = timeLeft(engine, tries);
    if (wait > left || (tries.hasFailed && left <= 0)) throw gaveUp(engine);
    if (wait <= 0) return waited;
    waited = true;
    await within(engine, wait);
  }
}

export function gaveUp({ env, backoff }: Engine): SessionError {
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
  longest: number = ATTEMPT,
): Promise<Reply | undefined> {
  const cut = new AbortController();
  const cancel = () => cut.abort();
  const limit = Math.min(longest, Math.max(timeLeft(engine, tries), 1000));
  stop?.addEventListener("abort", cancel);
  try {
    return await within(engine, limit, send(engine, request, cut.signal));
  } catch {
    return undefined;
  } finally {
    cancel();
  }
}

/** One request for tokens, and what was said to it. */
export async function ask(engine: Engine, tries: Tries, request: ServiceRequest, stop: AbortSignal): Promise<Answer> {
  const reply = await attempt(engine, tries, request, stop);
  const answer: Answer = reply ? readRefresh(reply, engine.transport) : { is: "nothing" };
  if (answer.is === "nothing") {
    inVain(engine, tries, answer.retryAfter);
    return answer;
  }
  // Who is denied would be told the same again: whoever asks again does so no faster.
  if (answer.is === "denied") inVain(engine, tries);
  else if (answer.is !== "mismatch") answered(engine.backoff);
  reachable(engine);
  return answer;
}

/** Something was in vain: the next try waits. */
export function inVain({ env, backoff }: Engine, tries: Tries, retryAfter?: number): void {
  tries.hasFailed = true;
  failed(backoff, env.running(), env.random(), retryAfter);
}

/** Ends the session of a refresh token or of the cookie. It is over when the service has said so. */
export async function logOut(engine: Engine, token: string | undefined, stop?: AbortSignal): Promise<void> {
  const tries = newTries(engine);
  for (;;) {
    await ready(engine, tries);
    const reply = await attempt(engine, tries, logoutRequest(engine.service, token), stop);
    if (reply?.status === 204) return reachable(engine);
    inVain(engine, tries, reply && retryAfter(reply.headers));
  }
}

/** Ends a session at the service as far as that can be done, while nobody waits for it. */
export function logOutBehind(engine: Engine, token: string | undefined): void {
  if (token)
    logOut(engine, token).then(
      () => tell(engine),
      () => undefined,
    );
}

/**
 * Lets something take `limit` milliseconds, or waits for so long, unless the host comes back in the meantime. A request
 * goes on when the page is merely seen again.
 */
async function within<T>(engine: Engine, limit: number, work?: Promise<T>): Promise<T | undefined> {
  const { env, wakers } = engine;
  const began = env.running();
  let timer: unknown;
  let deaf: Release | undefined;
  const ended = new Promise<undefined>((resolve) => {
    const end = () => resolve(undefined);
    timer = env.setTimeout(() => {
      // Most of what looks like an endless wait is a machine that slept.
      if (env.running() - began > limit + SUSPENDED) wake(engine, true);
      end();
    }, limit);
    deaf = enlist(wakers, (connection) => (connection || !work) && end());
  });
  try {
    return await Promise.race([work ?? ended, ended]);
  } finally {
    env.clearTimeout(timer);
    deaf?.();
  }
}

/** Sends a request, follows no redirect, and reads the answer whole. */
async function send({ env }: Engine, { url, ...request }: ServiceRequest, signal: AbortSignal): Promise<Reply> {
  const response = await env.fetch(url, {
    ...request,
    // A redirect would carry the refresh token to wherever it points.
    redirect: "manual",
    // The cookie that an answer sets is kept even if the page is closed meanwhile.
    keepalive: request.credentials === "include",
    signal,
  });
  return { status: response.status, headers: response.headers, body: await response.text() };
}
