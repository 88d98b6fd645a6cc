// Asking again, for as long as it makes sense.

import { type Work, within } from "../environment.js";
import { type SessionError, signedOut, unavailable } from "../errors.js";
import { type Answer, type Reply, readRefresh } from "../wire/answer.js";
import { logoutRequest, type ServiceRequest } from "../wire/request.js";
import { retryAfter } from "../wire/retry-after.js";
import { answered, failed } from "./backoff.js";
import { type Engine, enlist, load, reachable, tell, wake } from "./engine.js";

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
  /** Stops the one under way. */
  readonly stop: AbortController | undefined;
}

export function newTries({ env }: Engine, stop?: AbortController): Tries {
  return { began: env.running(), hasFailed: false, stop };
}

/** How long there is still time. It begins anew when the host comes back. */
function timeLeft({ env, awoke }: Engine, { began }: Tries): number {
  return Math.max(began, Math.min(awoke, began + LONGEST)) + BUDGET - env.running();
}

/** Waits until a request may leave, and tells whether it had to or this is not the first. Throws if that takes too long. */
export async function ready(engine: Engine, tries: Tries): Promise<boolean> {
  let waited = tries.hasFailed;
  for (;;) {
    const wait = engine.next - engine.env.running();
    const left = timeLeft(engine, tries);
    if (wait > left || (tries.hasFailed && left <= 0)) throw gaveUp(engine);
    if (wait <= 0) return waited;
    waited = true;
    await pause(engine, wait);
  }
}

export function gaveUp({ env, asked }: Engine): SessionError {
  const wait = (asked - env.running()) / 1000;
  return unavailable(wait > 0 ? wait : undefined);
}

/**
 * One request. Undefined: there was no answer in time. Null: there was not a whole one, or the host has come back and
 * the connection is not to be trusted, or nobody wants the answer any more.
 */
export async function attempt(
  engine: Engine,
  request: ServiceRequest,
  tries: Tries = newTries(engine),
  longest: number = ATTEMPT,
): Promise<Reply | null | undefined> {
  return pause<Reply>(engine, Math.min(longest, Math.max(timeLeft(engine, tries), 1000)), (end, over) => {
    const cancel = () => end(null);
    tries.stop?.signal.addEventListener("abort", cancel);
    send(engine, request, over).then(end, cancel);
  });
}

/** One request for tokens, and what was said to it. */
export async function ask(engine: Engine, tries: Tries, request: ServiceRequest): Promise<Answer> {
  const reply = await attempt(engine, request, tries);
  const answer: Answer = reply ? readRefresh(reply, engine.transport) : { is: "nothing" };
  if (answer.is === "nothing") {
    inVain(engine, tries, answer.retryAfter);
    return answer;
  }
  // Who is denied would be told the same again: whoever asks again does so no faster.
  if (answer.is === "denied") inVain(engine, tries);
  else if (answer.is !== "mismatch") answered(engine);
  reachable(engine);
  return answer;
}

/** Something was in vain: the next try waits. */
export function inVain(engine: Engine, tries: Tries, retryAfter?: number): void {
  tries.hasFailed = true;
  failed(engine, engine.env.running(), engine.env.random(), retryAfter);
}

/**
 * Ends the session of a refresh token, or of the cookie while that is of the session with this id, if any. It is over when
 * the service has said so.
 */
export async function logOut(engine: Engine, token?: string, stop?: AbortController, id?: string): Promise<void> {
  return insist(engine, logoutRequest(engine.service, token), stop, async () => {
    if (token) return false;
    // Somebody may have signed in by another tab meanwhile, and the cookie is his.
    const { record } = await load(engine);
    return record && record.session_id !== id;
  });
}

/** Sends a request until the service says that it is done, or it is moot when it would be sent again. */
export async function insist(
  engine: Engine,
  request: ServiceRequest,
  stop?: AbortController,
  isMoot?: () => Promise<unknown>,
): Promise<void> {
  const tries = newTries(engine, stop);
  for (;;) {
    if ((await ready(engine, tries)) && (await isMoot?.())) return;
    const reply = await attempt(engine, request, tries);
    if (reply?.status === 204) return reachable(engine);
    // Whoever asks in the name of somebody who is not signed in any more is not listened to.
    if (reply?.status === 401) throw signedOut("unknown");
    inVain(engine, tries, reply ? retryAfter(reply.headers) : undefined);
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
 * goes on when the page is merely seen again. Undefined: the time is over.
 */
async function pause<T>(engine: Engine, limit: number, work?: Work<T | null>): Promise<T | null | undefined> {
  const { env, wakers } = engine;
  const began = env.running();
  const made = await within<T | null>(env, limit, (end, over) => {
    over.addEventListener(
      "abort",
      enlist(wakers, (connection) => (connection || !work) && end(null)),
    );
    work?.(end, over);
  });
  // Most of what looks like an endless wait is a machine that slept.
  if (made === undefined && env.running() - began > limit + SUSPENDED) wake(engine, true);
  return made;
}

/** Sends a request, follows no redirect, and reads the answer whole. */
async function send({ env }: Engine, { url, ...request }: ServiceRequest, signal: AbortSignal): Promise<Reply> {
  const response = await env.fetch(url, {
    ...request,
    // A redirect would carry the refresh token to wherever it points.
    redirect: "manual",
    // The cookie that an answer sets is kept even if the page is closed meanwhile. But what is kept alive is not stopped
    // either, and could put an old cookie over that of a sign-in: whatever can be repeated under its ids is not.
    keepalive:
      request.method === "DELETE" || (request.credentials === "include" && !request.headers["Daypass-Attempt"]),
    signal,
  });
  const { status, headers } = response;
  return { status, headers, body: await response.text() };
}
