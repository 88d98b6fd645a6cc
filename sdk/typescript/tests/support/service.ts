// A token service and an API in memory that fail on command. Rotation follows the documented rules as far as clients meet
// them; the real service has tests of its own.

import type { Clock } from "./clock.js";

export const SERVICE = "https://id.example";
export const API = "https://api.example";

export interface Seen {
  readonly path: string;
  readonly origin: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
  readonly at: number;
}

/** What happens to the next request to a path. */
export type Fault =
  | "lose-request"
  | "lose-answer"
  | {
      readonly status: number;
      readonly json?: unknown;
      readonly text?: string;
      readonly headers?: Record<string, string>;
    }
  | { readonly hold: Promise<unknown>; readonly before?: boolean };

/** An answer, and the cookie that it sets. */
type Handled = [Response, (string | undefined)?];

interface Row {
  readonly id: string;
  generation: number;
  readonly attempts: Map<number, string>;
  ended: string | undefined;
}

/** What a browser keeps for the service. */
export class Jar {
  cookie: string | undefined;
  blocked = false;
}

export class Service {
  lifetime = 600;
  refreshIn: number | undefined;
  refuses = false;
  offline = false;
  /** How far its clock is ahead, in milliseconds. */
  skew = 0;
  readonly rows = new Map<string, Row>();
  readonly seen: Seen[] = [];
  rotations = 0;
  repeats = 0;
  reuses = 0;
  private readonly faults: [string, Fault][] = [];
  private readonly always: [string, Fault][] = [];
  private minted = 0;
  private readonly expires = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  next(path: string, ...faults: Fault[]): void {
    for (const fault of faults) this.faults.push([path, fault]);
  }

  forever(path: string, fault: Fault): void {
    this.always.push([path, fault]);
  }

  heal(): void {
    this.always.length = this.faults.length = 0;
  }

  requests(path: string): Seen[] {
    return this.seen.filter((seen) => seen.path === path);
  }

  /** The ids that were sent, request by request. */
  attempts(): (string | null)[] {
    return this.requests("/v1/refresh").map((seen) => seen.headers.get("daypass-attempt"));
  }

  fetch(jar?: Jar): typeof fetch {
    return async (input, init) => {
      const request = new Request(input, init);
      const { signal } = request;
      const work = this.answer(request, init?.credentials, jar);
      return new Promise((resolve, reject) => {
        const stop = () => reject(signal.reason);
        if (signal.aborted) stop();
        signal.addEventListener("abort", stop);
        work.then(resolve, reject);
      });
    };
  }

  private async answer(request: Request, credentials: string | undefined, jar: Jar | undefined): Promise<Response> {
    const { pathname, origin } = new URL(request.url);
    const body = await request.text();
    this.seen.push({
      path: pathname,
      origin,
      method: request.method,
      headers: request.headers,
      body,
      at: this.clock.running,
    });
    const fault = this.take(pathname);
    if (this.offline || fault === "lose-request") throw new TypeError("offline");
    if (typeof fault === "object" && "hold" in fault && fault.before) await fault.hold;
    if (typeof fault === "object" && "status" in fault) return canned(fault);
    if (request.signal.aborted) throw request.signal.reason;
    const sent = credentials === "include" && !jar?.blocked ? jar?.cookie : undefined;
    const [response, cookie] = this.handle(request, pathname, body, sent);
    if (typeof fault === "object" && "hold" in fault) await fault.hold;
    if (fault === "lose-answer") throw new TypeError("cut");
    if (cookie !== undefined && jar && !jar.blocked && credentials === "include") jar.cookie = cookie || undefined;
    return response;
  }

  private take(path: string): Fault | undefined {
    const at = this.faults.findIndex(([name]) => name === path);
    if (at >= 0) return this.faults.splice(at, 1)[0]?.[1];
    return this.always.find(([name]) => name === path)?.[1];
  }

  private handle(request: Request, path: string, body: string, cookie?: string): Handled {
    const json = path.startsWith("/v1/") && body ? JSON.parse(body) : {};
    const token = json.refresh_token ?? cookie;
    switch (path) {
      case "/v1/login": {
        if (json.password !== "right") return [problem(401, "invalid-credentials")];
        const id = `session-${json.username}-${this.rows.size}`;
        this.rows.set(id, { id, generation: 0, attempts: new Map(), ended: undefined });
        return this.pair(id, json.transport === "cookie");
      }
      case "/v1/refresh":
        if (token === undefined)
          return [oauth(400, "invalid_request", { error_description: "'refresh_token' is missing" })];
        return this.refresh(token, request.headers.get("daypass-attempt"), cookie !== undefined);
      case "/v1/logout": {
        const row = this.rowOf(token);
        if (row) row.ended ??= "revoked";
        return [new Response(null, { status: 204 }), cookie === undefined ? undefined : ""];
      }
      case "/v1/sessions":
        for (const row of this.rows.values()) row.ended ??= "revoked";
        return [new Response(null, { status: 204 })];
      default:
        return [this.api(request, body)];
    }
  }

  private rowOf(token: string | undefined): Row | undefined {
    return token === undefined ? undefined : this.rows.get(token.split("/")[1] ?? "");
  }

  private refresh(token: string, header: string | null, byCookie: boolean): Handled {
    const row = this.rowOf(token);
    const g = Number(token.split("/")[2]);
    if (!row) return [oauth(400, "invalid_grant")];
    if (row.ended) return [oauth(400, "invalid_grant", { reason: row.ended }), byCookie ? "" : undefined];
    const ids = new Map((header ?? "").split(", ").map((pair) => pair.split(":") as [string, string]));
    const id = (k: number) => ids.get(String(k));
    if (header && id(g) === undefined) return [oauth(409, "mismatch", { generation: g })];
    const c = row.generation;
    if (g === c) {
      const made = id(g);
      if (made !== undefined) row.attempts.set(g, made);
      row.generation++;
      this.rotations++;
      return this.pair(row.id, byCookie);
    }
    const mine = (k: number) => id(k) !== undefined && id(k) === row.attempts.get(k);
    if (Array.from({ length: c - g }, (_, i) => g + i).every(mine)) {
      this.repeats++;
      return this.pair(row.id, byCookie);
    }
    if (c - g <= 4 && c - g >= 2 && mine(g)) return [oauth(400, "invalid_grant", { reason: "superseded" })];
    this.reuses++;
    row.ended = "reused";
    return [oauth(400, "invalid_grant", { reason: "reused" })];
  }

  private pair(id: string, byCookie: boolean): Handled {
    const generation = this.rows.get(id)?.generation ?? 0;
    const access = `at/${id}/${generation}/${++this.minted}`;
    this.expires.set(access, this.clock.wall + this.lifetime * 1000);
    const token = `dpr/${id}/${generation}`;
    const json = {
      access_token: access,
      token_type: "Bearer",
      expires_in: this.lifetime,
      refresh_in: this.refreshIn,
      server_time: this.clock.wall + this.skew,
      session_id: id,
      generation,
      refresh_token: byCookie ? undefined : token,
      refresh_expires_in: 15_552_000,
    };
    return [Response.json(json), byCookie ? token : undefined];
  }

  /** Whoever has a token that serves is answered with what he sent. */
  private api(request: Request, body: string): Response {
    const token = request.headers.get("authorization")?.slice(7) ?? "";
    const row = this.rows.get(token.split("/")[1] ?? "");
    const serves = !this.refuses && row && !row.ended && (this.expires.get(token) ?? 0) > this.clock.wall;
    if (serves) return new Response(body || token);
    const challenge = 'Bearer error="invalid_token", error_description="it has expired"';
    return new Response("refused", { status: 401, headers: { "www-authenticate": challenge } });
  }
}

export function oauth(status: number, error: string, more: object = {}): Response {
  return Response.json({ error, ...more }, { status });
}

function problem(status: number, name: string): Response {
  const headers = { "content-type": "application/problem+json" };
  return new Response(JSON.stringify({ type: `urn:daypass:problem:${name}` }), { status, headers });
}

function canned({ status, json, text, headers }: Extract<Fault, { status: number }>): Response {
  const type = json === undefined ? "text/html" : "application/json";
  const body = json === undefined ? (text ?? "<html>") : JSON.stringify(json);
  return new Response(status === 204 ? null : body, { status, headers: { "content-type": type, ...headers } });
}
