// One call to an API: which requests carry the access token, and when a refused call is made again.

import type { Engine } from "../engine/engine.js";
import { accessToken } from "../engine/renewal.js";
import { refusesToken } from "./challenge.js";

/** Why a call that was refused was not made again, although the token has been renewed. */
export type NotReplayed =
  /** The body was a stream, which is gone. */
  | "body"
  /** Somebody else has signed in since the call was made, who may not have meant it. */
  | "somebody_else";

const marks = new WeakMap<Response, NotReplayed>();

/**
 * Why the call that was answered with this 401 was not made again with the renewed token; undefined for every other
 * answer. Make the call again if it is still meant.
 */
export function notReplayed(response: Response): NotReplayed | undefined {
  return marks.get(response);
}

/** Waits for something, unless the caller stops waiting. What is waited for goes on. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** Makes a call as `fetch` does. The token goes to `origins` only, and never where the caller says who he is himself. */
export async function call(
  engine: Engine,
  origins: ReadonlySet<string>,
  input: Request | URL | string,
  init?: RequestInit,
): Promise<Response> {
  const { fetch } = engine.env;
  // Whatever the caller does with his body from now on, this is what is sent.
  const request = new Request(input, init);
  const origin = originOf(request.url);
  if (!origins.has(origin) || request.headers.has("authorization")) return fetch(request);
  const spare = isStream(init?.body) ? undefined : request.clone();
  const token = await abortable(accessToken(engine, {}), request.signal);
  const owner = engine.record?.session_id;
  request.headers.set("authorization", `Bearer ${token}`);
  const response = await fetch(request);
  if (response.status !== 401 || !refusesToken(response.headers.get("www-authenticate"))) return response;
  // Whoever answers for another origin has not seen the token: platforms drop it there.
  if (response.url && originOf(response.url) !== origin) return response;
  const renewed = await abortable(accessToken(engine, { rejected: token }), request.signal);
  // Too young to be at fault.
  if (renewed === token) return response;
  const isOther = owner !== engine.record?.session_id;
  if (isOther || !spare) {
    marks.set(response, isOther ? "somebody_else" : "body");
    return response;
  }
  void response.body?.cancel().catch(() => undefined);
  spare.headers.set("authorization", `Bearer ${renewed}`);
  return fetch(spare);
}

function originOf(url: string): string {
  return new URL(url).origin;
}

function isStream(body: unknown): boolean {
  const object = Object(body);
  return "getReader" in object || Symbol.asyncIterator in object;
}
