// Stands between the browser and the service, and does to requests and answers what a test asks for: hold, lose, cut,
// answer in the service's stead, count. Requests that are let through are delivered whatever becomes of their sender.

import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { type Listening, listen } from "./listen.js";
import { type Gate, soon } from "./until.js";

/** What came back from the service, or is given out in its stead. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** A request as it was seen to pass. Holds no secret. */
export interface Seen {
  /** Method and path. */
  what: string;
  origin: string | undefined;
  /** The generation of the refresh token that came along, by cookie or body. */
  generation: number | undefined;
  byCookie: boolean;
  /** The header `Daypass-Attempt`. */
  attempt: string | undefined;
  /** When it came, on this process's steady clock, in milliseconds. */
  at: number;
  /** What the service said, once it has. */
  status?: number;
}

/** A request on its way. */
export interface Passing {
  seen: Seen;
  /** Hands it to the service. */
  deliver(): Promise<Answer>;
  /** Answers the browser. */
  answer(answer: Answer): void;
  /** Answers with half of the body, and hangs up. */
  cut(answer: Answer): void;
  /** Hangs up. */
  hangUp(): void;
}

/** What is done to a request. */
export type Fault = (passing: Passing) => Promise<void>;

interface Rule {
  what: string;
  fault: Fault;
  left: number;
}

/** The usual name of a refresh. */
export const REFRESH = "POST /v1/refresh";

/** The service without faults. */
const pass: Fault = async (passing) => passing.answer(await passing.deliver());

/** The proxy. */
export class FaultProxy {
  readonly seen: Seen[] = [];
  /** How many requests found no service, preflights included. */
  inVain = 0;
  #rules: Rule[] = [];
  #target: number | undefined;
  #watchers = new Set<() => unknown>();
  readonly #agent = new Agent({ keepAlive: true });
  #listening!: Listening;
  #underWay = 0;

  static async start(): Promise<FaultProxy> {
    const proxy = new FaultProxy();
    proxy.#listening = await listen(createServer((incoming, outgoing) => void proxy.#meet(incoming, outgoing)));
    return proxy;
  }

  /** Where the browser finds the service. */
  get url(): string {
    return `http://localhost:${this.#listening.port}`;
  }

  /** Passes on to this port. */
  to(port: number): void {
    this.#target = port;
  }

  /** Does this to the next so many of these requests, after those that were asked for earlier. */
  next(what: string, fault: Fault, times = 1): void {
    this.#rules.push({ what, fault, left: times });
  }

  /** Does this to all of these requests, until `clear`. */
  always(what: string, fault: Fault): void {
    this.next(what, fault, Infinity);
  }

  /** No faults any more, for requests to come. */
  clear(): void {
    this.#rules = [];
  }

  /** Waits until what was seen fits. */
  async sees(what: string, fits: (seen: Seen[]) => boolean): Promise<void> {
    if (fits(this.seen)) return;
    let look: () => unknown = () => undefined;
    const fitting = new Promise<void>((resolve) => {
      look = () => fits(this.seen) && resolve();
    });
    this.#watchers.add(look);
    await soon(what, fitting).finally(() => this.#watchers.delete(look));
  }

  /** Waits until nothing is on its way to the service. */
  quiet(): Promise<void> {
    return this.sees("nothing is under way", () => this.#underWay === 0);
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    await this.#listening.close();
  }

  async #meet(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await read(incoming).catch(() => undefined);
    if (!body) return;
    const seen = look(incoming, body);
    if (incoming.method !== "OPTIONS") this.seen.push(seen);
    this.#tell();
    const rule = this.#rules.find((rule) => rule.what === seen.what && rule.left > 0);
    if (rule) rule.left -= 1;
    try {
      await (rule?.fault ?? pass)(this.#passing(seen, incoming, body, outgoing));
    } catch {
      // The service is down: the browser sees what it sees then.
      this.inVain += 1;
      outgoing.destroy();
    }
  }

  #passing(seen: Seen, incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse): Passing {
    // A kept connection that breaks makes a browser send the request again on its own, which no test could count on.
    const close = { connection: "close", "content-encoding": undefined, "transfer-encoding": undefined };
    const head = ({ status, headers, body }: Answer): void => {
      const all = { ...headers, ...close, "content-length": String(body.length) };
      outgoing.writeHead(status, Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));
    };
    return {
      seen,
      deliver: async () => {
        this.#underWay += 1;
        try {
          const answer = await this.#deliver(incoming, body);
          seen.status = answer.status;
          return answer;
        } finally {
          this.#underWay -= 1;
          this.#tell();
        }
      },
      answer: (answer) => {
        head(answer);
        outgoing.end(answer.body);
      },
      cut: (answer) => {
        head(answer);
        outgoing.write(answer.body.subarray(0, answer.body.length / 2), () => outgoing.destroy());
      },
      hangUp: () => outgoing.destroy(),
    };
  }

  #deliver(incoming: IncomingMessage, body: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { connection: _, ...headers } = incoming.headers;
      const onward = request(
        {
          agent: this.#agent,
          host: "127.0.0.1",
          port: this.#target,
          method: incoming.method,
          path: incoming.url,
          headers,
        },
        (answer) => {
          read(answer).then(
            (body) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }),
            reject,
          );
        },
      );
      onward.once("error", reject).end(body);
    });
  }

  #tell(): void {
    for (const look of this.#watchers) look();
  }
}

/** Holds a request at the gate before it is delivered. */
export function holdRequest(gate: Gate): Fault {
  return async (passing) => {
    await gate.pass();
    await pass(passing);
  };
}

/** Delivers a request, and holds its answer at the gate. */
export function holdAnswer(gate: Gate): Fault {
  return async (passing) => {
    const answer = await passing.deliver();
    await gate.pass();
    passing.answer(answer);
  };
}

/** The request never arrives. */
export const loseRequest: Fault = async (passing) => passing.hangUp();

/** The request arrives and is carried out, the answer is lost. */
export const loseAnswer: Fault = async (passing) => {
  await passing.deliver();
  passing.hangUp();
};

/** Delivers a request, and loses its answer once the gate is open. */
export function loseHeldAnswer(gate: Gate): Fault {
  return async (passing) => {
    await passing.deliver();
    await gate.pass();
    passing.hangUp();
  };
}

/** The answer's head comes, cookie included, and half of its body. */
export const cutAnswer: Fault = async (passing) => passing.cut(await passing.deliver());

/** Somebody else answers. With `cors`, so that the page may read it; a gateway in front of the service does not think of that. */
export function instead(
  status: number,
  options: { headers?: Record<string, string>; body?: string; cors?: boolean } = {},
): Fault {
  return async (passing) => {
    const readable = {
      "access-control-allow-origin": passing.seen.origin,
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": "Retry-After",
    };
    const headers = { "content-type": "text/html", ...options.headers, ...(options.cors && readable) };
    passing.answer({ status, headers, body: Buffer.from(options.body ?? "<html></html>") });
  };
}

function look(incoming: IncomingMessage, body: Buffer): Seen {
  const cookie = /(?:^|;\s*)__Host-Http-daypass=([^;]+)/.exec(incoming.headers.cookie ?? "")?.[1];
  const member = /"refresh_token"\s*:\s*"([^"]+)"/.exec(body.toString())?.[1];
  const attempt = incoming.headers["daypass-attempt"];
  return {
    what: `${incoming.method} ${incoming.url?.split("?")[0]}`,
    origin: incoming.headers.origin,
    generation: generationOf(cookie ?? member),
    byCookie: cookie !== undefined,
    attempt: Array.isArray(attempt) ? attempt.join(", ") : attempt,
    at: performance.now(),
  };
}

/** The generation that a refresh token names (bytes 17 to 20, big endian). */
function generationOf(token: string | undefined): number | undefined {
  if (!token?.startsWith("dpr_")) return undefined;
  const bytes = Buffer.from(token.slice(4), "base64url");
  return bytes.length === 53 ? bytes.readUInt32BE(17) : undefined;
}

async function read(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
