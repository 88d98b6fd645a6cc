/** Tokens to read the feed with. */
import { retryAfterMs, send } from "../requests.js";
import type { Surroundings } from "../surroundings.js";
import { parseObject } from "../token/json.js";
import { FeedError } from "./fault.js";
import { LONGEST_RETRY_AFTER } from "./schedule.js";

/** The most bytes of a token endpoint's answer that are read. */
const MAX_ANSWER = 64 * 1024;
/** How long an answer may take, body included. */
export const TIME_OUT = 5000;
/** A lifetime that is taken for a token that does not say, in seconds (RFC 6749 section 5.1 only recommends to say). */
const UNSTATED_LIFE = 60;
/** How long a token that is still good serves on when a new one was not to be had. */
const ASK_AGAIN = 5000;

/** A token to be sent. */
export interface Bearer {
  readonly header: string;
  /** Whether it was used before: another may be better if it is refused. */
  readonly used: boolean;
}

/** Where tokens come from. */
export interface Credentials {
  /** A token that is good as far as is known here. */
  bearer(stop: AbortSignal): Promise<Bearer>;
  /** The token was refused: the next one is another. */
  forget(): void;
}

/** A client of the service, which gets tokens for itself (RFC 6749 section 4.4). Shows no secret. */
export class ClientCredentials implements Credentials {
  readonly #around: Surroundings;
  readonly #endpoint: URL;
  readonly #authorization: string;
  readonly #body: string;
  #held: { readonly header: string; renewAt: number } | undefined;

  constructor(around: Surroundings, endpoint: URL, id: string, secret: string, resource: string) {
    this.#around = around;
    this.#endpoint = endpoint;
    // The encoding before Basic's own is RFC 6749 section 2.3.1's.
    const encode = (text: string) => new URLSearchParams({ "": text }).toString().slice(1);
    this.#authorization = `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString("base64")}`;
    const asked = { grant_type: "client_credentials", scope: "daypass:feed", resource };
    this.#body = new URLSearchParams(asked).toString();
  }

  async bearer(stop: AbortSignal): Promise<Bearer> {
    const now = this.#around.clock.running();
    const held = this.#held;
    if (held !== undefined && now < held.renewAt) return { header: held.header, used: true };
    try {
      this.#held = await this.#ask(stop);
      return { header: this.#held.header, used: false };
    } catch (error) {
      // A fifth of the old token's life is left: it serves until the feed refuses it.
      if (held === undefined) throw error;
      const asked = error instanceof FeedError ? (error.retryAfterMs ?? 0) : 0;
      held.renewAt = now + Math.min(Math.max(asked, ASK_AGAIN), LONGEST_RETRY_AFTER);
      return { header: held.header, used: true };
    }
  }

  forget(): void {
    this.#held = undefined;
  }

  async #ask(stop: AbortSignal) {
    const now = this.#around.clock.running();
    const headers = {
      authorization: this.#authorization,
      "content-type": "application/x-www-form-urlencoded",
      accept: "application/json",
    };
    const init = { method: "POST", headers, body: this.#body };
    const answer = await send(this.#around, this.#endpoint, init, { most: MAX_ANSWER, timeoutMs: TIME_OUT, stop });
    if (answer.status !== 200) throw new FeedError("token", answer.status, retryAfterMs(answer.headers));
    const issued = parseObject(answer.body) ?? {};
    const { access_token: token, token_type: type, expires_in: life = UNSTATED_LIFE } = issued;
    if (typeof type !== "string" || type.toLowerCase() !== "bearer" || typeof life !== "number") {
      throw new FeedError("token");
    }
    return { header: bearerHeader(token), renewAt: now + Math.max(0, life) * 800 };
  }
}

/** Tokens from elsewhere. */
export class BearerSource implements Credentials {
  readonly #source: () => string | Promise<string>;

  constructor(source: () => string | Promise<string>) {
    this.#source = source;
  }

  async bearer(): Promise<Bearer> {
    let token: unknown;
    try {
      token = await this.#source();
    } catch {
      throw new FeedError("token");
    }
    return { header: bearerHeader(token), used: false };
  }

  forget(): void {
    // The source is asked each time.
  }
}

function bearerHeader(token: unknown): string {
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token.trim())) throw new FeedError("token");
  return `Bearer ${token.trim()}`;
}
