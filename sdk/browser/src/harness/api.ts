// A small API that accepts access tokens as any server would, and can be told to refuse them.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";

import { createRemoteJWKSet, jwtVerify } from "jose";

import { type Listening, listen } from "./listen.js";
import type { Gate } from "./until.js";

/** A server's key and certificate, in PEM. */
export interface Certificate {
  key: string;
  cert: string;
}

type Asked = IncomingMessage | Http2ServerRequest;
type Answering = ServerResponse | Http2ServerResponse;

/** A call as the API saw it. */
export interface Call {
  path: string;
  method: string;
  body: string;
  status: number;
  /** Whether a token came along. */
  bearer: boolean;
}

/** The API. */
export class Api {
  readonly calls: Call[] = [];
  /** Whether every token is refused. */
  refusesAll = false;
  readonly #refused = new Set<string>();
  #gates: Gate[] = [];
  #listening!: Listening;

  private constructor(private readonly secure: boolean) {}

  /** With a certificate it speaks HTTP/2, without which browsers send no streams. */
  static async start(
    issuer: string,
    keys: () => string,
    origins: () => string[],
    certificate?: Certificate,
  ): Promise<Api> {
    const api = new Api(certificate !== undefined);
    let set: ReturnType<typeof createRemoteJWKSet> | undefined;
    const verify = async (token: string): Promise<string> => {
      set ??= createRemoteJWKSet(new URL(`${keys()}/.well-known/jwks.json`), { cooldownDuration: 0 });
      const options = { issuer, audience: issuer, typ: "at+jwt", algorithms: ["ES256"] };
      return (await jwtVerify(token, set, options)).payload.sub ?? "";
    };
    const serve = (asked: Asked, answer: Answering): void => void api.#serve(asked, answer, verify, origins());
    api.#listening = await listen(certificate ? createSecureServer(certificate, serve) : createServer(serve));
    return api;
  }

  get url(): string {
    return `${this.secure ? "https" : "http"}://localhost:${this.#listening.port}`;
  }

  /** Refuses this token from now on, as if it had expired. */
  refuse(token: string): void {
    this.#refused.add(token);
  }

  /** Holds the next call before it is judged. */
  hold(gate: Gate): void {
    this.#gates.push(gate);
  }

  close(): Promise<void> {
    return this.#listening.close();
  }

  async #serve(
    asked: Asked,
    answer: Answering,
    verify: (token: string) => Promise<string>,
    origins: string[],
  ): Promise<void> {
    const origin = asked.headers.origin;
    if (origin && origins.includes(origin)) {
      answer.setHeader("access-control-allow-origin", origin);
      answer.setHeader("access-control-expose-headers", "WWW-Authenticate");
      answer.setHeader("access-control-allow-headers", "Authorization, Content-Type");
      answer.setHeader("access-control-allow-methods", "GET, POST, PUT");
      answer.setHeader("access-control-max-age", "600");
    }
    answer.setHeader("cache-control", "no-store");
    if (asked.method === "OPTIONS") return end(answer, 204);
    const chunks: Buffer[] = [];
    for await (const chunk of asked) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    await this.#gates.shift()?.pass();
    const token = /^Bearer (.+)$/.exec(asked.headers.authorization ?? "")?.[1];
    const refused = token === undefined || this.refusesAll || this.#refused.has(token);
    const sub = refused ? undefined : await verify(token).catch(() => undefined);
    const status = sub === undefined ? 401 : 200;
    this.calls.push({ path: asked.url ?? "", method: asked.method ?? "", body, status, bearer: token !== undefined });
    if (sub === undefined) {
      const challenge = token === undefined ? "Bearer" : 'Bearer error="invalid_token", error_description="expired"';
      answer.setHeader("www-authenticate", challenge);
      return end(answer, 401);
    }
    answer.setHeader("content-type", "application/json");
    end(answer, 200, JSON.stringify({ sub, body }));
  }
}

/** The two kinds of answers differ in their types only. */
function end(answer: Answering, status: number, body = ""): void {
  answer.statusCode = status;
  (answer as ServerResponse).end(body);
}
