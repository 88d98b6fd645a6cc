/** How the feed comes: page by page from `GET /v1/revocations`, or as events from `/v1/revocations/stream`. */
import { inTime, open, retryAfterMs, send } from "../requests.js";
import type { Surroundings } from "../surroundings.js";
import { type Credentials, TIME_OUT } from "./credentials.js";
import { FeedError } from "./fault.js";
import { type Page, readPage } from "./page.js";

/** The most bytes of a page that are read. */
const MAX_PAGE = 8 * 1024 * 1024;

/** The service has no stream: it is to be polled. */
export class NoStream extends Error {}

/** Asks the service. */
export class Wire {
  readonly #around: Surroundings;
  readonly #feed: URL;
  readonly #credentials: Credentials;

  constructor(around: Surroundings, feed: URL, credentials: Credentials) {
    this.#around = around;
    this.#feed = feed;
    this.#credentials = credentials;
  }

  /** The page after `cursor`, or the first one. */
  async page(cursor: string | undefined, stop: AbortSignal): Promise<Page> {
    const url = new URL(this.#feed);
    if (cursor !== undefined) url.searchParams.set("since", cursor);
    const answer = await this.#authorized(stop, async (authorization) => {
      const headers = { authorization, accept: "application/json" };
      return send(this.#around, url, { headers }, { most: MAX_PAGE, timeoutMs: TIME_OUT, stop });
    });
    refuseUnlessOk(answer);
    const page = readPage(answer.body);
    if (page === undefined) throw new FeedError("malformed");
    return page;
  }

  /** The stream from `cursor` on, once its head has come. `stop` ends it. */
  async stream(cursor: string | undefined, stop: AbortSignal): Promise<ReadableStreamDefaultReader<Uint8Array>> {
    const url = new URL(this.#feed);
    url.pathname += "/stream";
    const response = await this.#authorized(stop, async (authorization) => {
      const headers: Record<string, string> = { authorization, accept: "text/event-stream" };
      if (cursor !== undefined) headers["last-event-id"] = cursor;
      // The time-out is for the head: what calls it off is not what ends the stream.
      return inTime(this.#around, TIME_OUT, stop, () => open(this.#around, url, { headers }, stop));
    });
    const isStream = /^text\/event-stream\b/i.test(response.headers.get("content-type") ?? "");
    if (response.status !== 200 || !isStream || response.body === null) {
      response.body?.cancel().catch(() => undefined);
      if (response.status === 404) throw new NoStream();
      refuseUnlessOk(response);
      throw new FeedError("malformed");
    }
    return response.body.getReader();
  }

  /** A token that was good before and is refused now has expired, or its client is gone: one more is tried. */
  async #authorized<T extends { readonly status: number }>(
    stop: AbortSignal,
    ask: (authorization: string) => Promise<T>,
  ): Promise<T> {
    const bearer = await inTime(this.#around, 2 * TIME_OUT, stop, () => this.#credentials.bearer(stop));
    const answer = await ask(bearer.header);
    if (answer.status !== 401) return answer;
    this.#credentials.forget();
    if (!bearer.used) return answer;
    if ("body" in answer && answer.body instanceof ReadableStream) answer.body.cancel().catch(() => undefined);
    const again = await ask((await this.#credentials.bearer(stop)).header);
    if (again.status === 401) this.#credentials.forget();
    return again;
  }
}

function refuseUnlessOk({ status, headers }: { readonly status: number; readonly headers: Headers }): void {
  if (status === 200) return;
  const fault = status === 401 || status === 403 ? "refused" : "status";
  throw new FeedError(fault, status, retryAfterMs(headers));
}
