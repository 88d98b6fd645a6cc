// A Daypass service as far as its revocation feed goes: over real HTTP, under the test's control.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Json } from "./issuer.js";

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly lastEventId: string | undefined;
  readonly body: string;
}

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

/** Serves `/oauth2/token`, `/v1/revocations` and, if it is told to, `/v1/revocations/stream`. */
export class FeedService {
  readonly entries: Json[] = [];
  readonly requests: Seen[] = [];
  /** Streams that are open. */
  readonly streams = new Set<ServerResponse>();
  /** Changes when the store was restored: cursors of another epoch are unknown. */
  epoch = "e1";
  /** The most entries of a page. */
  limit = 1000;
  hasStream = false;
  /** The tokens that are accepted; each grant makes one. */
  tokens = new Set<string>();
  tokenLife = 600;
  #granted = 0;
  #next: { path: string; answer: Answering }[] = [];
  #always = new Map<string, Answering>();
  #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<FeedService> {
    const service = new FeedService();
    await new Promise<void>((resolve) => service.#server.listen(0, "127.0.0.1", resolve));
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Ends a session, or a subject's sessions, and tells whoever listens. */
  end(entry: Json, at = Date.now()): void {
    this.entries.push({ at_ms: at, until: Math.floor(at / 1000) + 900, ...entry });
    for (const stream of this.streams) this.#event(stream, "entry", this.entries.length, this.entries.at(-1));
  }

  /** Answers the next request for this path in another way. */
  next(path: string, answer: Answering): void {
    this.#next.push({ path, answer });
  }

  /** Answers all requests for this path in another way, until it is told `undefined`. */
  always(path: string, answer: Answering | undefined): void {
    if (answer === undefined) this.#always.delete(path);
    else this.#always.set(path, answer);
  }

  count(path: string): number {
    return this.requests.filter((seen) => seen.path === path).length;
  }

  /** Says something, whatever it is, on every stream. */
  say(text: string): void {
    for (const stream of this.streams) stream.write(text);
  }

  /** Ends every stream, as a restart does, or cuts it. */
  hangUp(cut = false): void {
    for (const stream of this.streams) cut ? stream.destroy() : stream.end();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    let body = "";
    for await (const piece of request) body += piece;
    this.requests.push({
      method: request.method ?? "",
      path: url.pathname,
      authorization: request.headers.authorization,
      lastEventId: request.headers["last-event-id"] as string | undefined,
      body,
    });
    const at = this.#next.findIndex(({ path }) => path === url.pathname);
    const odd = at >= 0 ? this.#next.splice(at, 1)[0]?.answer : this.#always.get(url.pathname);
    if (odd !== undefined) return odd(request, response);
    if (url.pathname === "/oauth2/token") return this.#grant(response);
    if (!this.tokens.has(request.headers.authorization ?? "")) return status(401)(request, response);
    if (url.pathname === "/v1/revocations") return this.#page(url.searchParams.get("since"), response);
    if (url.pathname === "/v1/revocations/stream" && this.hasStream) return this.#stream(request, response);
    status(404)(request, response);
  }

  #grant(response: ServerResponse): void {
    const token = `feed-token-${++this.#granted}`;
    this.tokens.add(`Bearer ${token}`);
    json(response, { access_token: token, token_type: "Bearer", expires_in: this.tokenLife });
  }

  #page(since: string | null, response: ServerResponse): void {
    const from = this.#position(since);
    const entries = this.entries.slice(from ?? 0, (from ?? 0) + this.limit);
    const end = (from ?? 0) + entries.length;
    const reset = from === undefined ? { reset: true } : {};
    json(response, { cursor: this.#cursor(end), complete: end === this.entries.length, entries, ...reset });
  }

  #stream(request: IncomingMessage, response: ServerResponse): void {
    const from = this.#position((request.headers["last-event-id"] as string | undefined) ?? null);
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    if (from === undefined) this.#event(response, "reset", 0, {});
    for (const [at, entry] of this.entries.entries()) {
      if (at >= (from ?? 0)) this.#event(response, "entry", at + 1, entry);
    }
    this.#event(response, "ready", this.entries.length, {});
    this.streams.add(response);
    response.on("close", () => this.streams.delete(response));
  }

  #event(response: ServerResponse, name: string, position: number, data: unknown): void {
    response.write(`id: ${this.#cursor(position)}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #cursor(position: number): string {
    return `${this.epoch}-${position}`;
  }

  #position(cursor: string | null): number | undefined {
    const [epoch, position] = cursor?.split("-") ?? [];
    return epoch === this.epoch ? Number(position) : undefined;
  }
}

export function status(code: number, headers: Record<string, string> = {}): Answering {
  return (_, response) => response.writeHead(code, headers).end();
}

export function text(body: string): Answering {
  return (_, response) => response.writeHead(200, { "content-type": "application/json" }).end(body);
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}
