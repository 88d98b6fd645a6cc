/** Requests to the issuer, under limits: no redirects, bounded time and size, no secrets in the url. */
import { ConfigError } from "./errors.js";
import type { Surroundings } from "./surroundings.js";

/** Why there is no whole answer. */
export type FetchFault = "connect" | "interrupted" | "too_large" | "timeout";

/** A request that came to nothing. */
export class Failed<F extends string> extends Error {
  constructor(
    readonly fault: F,
    readonly status?: number,
    readonly retryAfterMs?: number,
  ) {
    super(fault);
  }
}

/** An answer that has come whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** Reads a url that the configuration has: https, or http to this machine, or http if `allowHttp`. */
export function parseUrl(text: string, allowHttp: boolean): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new ConfigError("a url of the verifier is not an absolute url");
  }
  const fault = (what: string) => new ConfigError(`the url ${shown(url)} cannot be used: ${what}`);
  // Urls are logged.
  if (url.username !== "" || url.password !== "") throw fault("it holds a name or a password");
  if (url.hash !== "") throw fault("it has a fragment");
  if (url.protocol !== "https:" && url.protocol !== "http:") throw fault("it is neither https nor http");
  if (url.protocol === "http:" && !allowHttp && !isLoopback(url.hostname)) throw fault("it is not https");
  return url;
}

/** A url for logs: without its query, names, passwords and fragment. */
export function shown(url: URL): string {
  return `${url.origin === "null" ? url.protocol : url.origin}${url.pathname}`;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Sends a request, follows no redirect, and reads at most `most` bytes. A `stop` that is called off rejects, too. */
export async function send(
  around: Surroundings,
  url: URL,
  init: RequestInit,
  limits: { most: number; timeoutMs: number; stop: AbortSignal },
): Promise<Answer> {
  return inTime(around, limits.timeoutMs, limits.stop, async (signal) => {
    const response = await open(around, url, init, signal);
    return { status: response.status, headers: response.headers, body: await readBody(response, limits.most) };
  });
}

/** Sends a request, and waits for the head of its answer. */
export async function open(around: Surroundings, url: URL, init: RequestInit, signal: AbortSignal): Promise<Response> {
  try {
    return await around.fetch(url, { ...init, redirect: "manual", signal });
  } catch {
    throw new Failed<FetchFault>("connect");
  }
}

/** Waits for something no longer than so long. What it was waiting for is called off, and no more heard of. */
export async function inTime<T>(
  around: Surroundings,
  ms: number,
  stop: AbortSignal,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const control = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const tidy = () => {
      cancel();
      stop.removeEventListener("abort", stopped);
    };
    const end = (fault: FetchFault) => {
      tidy();
      reject(new Failed<FetchFault>(fault));
      control.abort();
    };
    const stopped = () => end("interrupted");
    const cancel = around.clock.after(ms, () => end("timeout"));
    stop.addEventListener("abort", stopped, { once: true });
    if (stop.aborted) stopped();
    else act(control.signal).finally(tidy).then(resolve, reject);
  });
}

async function readBody(response: Response, most: number): Promise<Buffer> {
  const stated = Number(response.headers.get("content-length") ?? 0);
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    const reader = response.body?.getReader();
    for (;;) {
      if (stated > most || size > most) {
        reader?.cancel().catch(() => undefined);
        throw new Failed<FetchFault>("too_large");
      }
      const piece = await reader?.read();
      if (piece === undefined || piece.done) return Buffer.concat(pieces);
      size += piece.value.length;
      pieces.push(piece.value);
    }
  } catch (error) {
    throw error instanceof Failed ? error : new Failed<FetchFault>("interrupted");
  }
}

/** `Retry-After` in milliseconds; its other form, a date, is not followed. */
export function retryAfterMs(headers: Headers): number | undefined {
  const text = headers.get("retry-after")?.trim();
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) * 1000 : undefined;
}
