/** The configuration of a revocation feed, and its start. */
import { ConfigError } from "../errors.js";
import { parseUrl } from "../requests.js";
import type { Surroundings } from "../surroundings.js";
import { BearerSource, ClientCredentials } from "./credentials.js";
import { Follower } from "./follow.js";
import { Followed } from "./followed.js";
import { Schedule } from "./schedule.js";
import { Wire } from "./wire.js";

/** The path of the feed below the service's base url. */
const FEED_PATH = "/v1/revocations";

/** How to follow a service's revocation feed. */
export type FeedOptions = {
  /** The service's base url, such as `https://id.example` or `https://example.com/auth`: https, or http to this machine. */
  readonly url: string;
  /** By `'stream'` (default) or by `'poll'`; a service without a stream is polled, and asked again every 5 minutes. */
  readonly mode?: "poll" | "stream";
  /** Milliseconds between two polls, a tenth more or less: how late an ended session may be refused without a stream. Default 1000. */
  readonly pollEveryMs?: number;
  /** How long the feed may go unread before it is stale, in milliseconds. Default 30000; at least two polls. */
  readonly maxStalenessMs?: number;
  /**
   * What becomes of tokens while the feed is stale, or was never read. `'allow'` (default): they pass, but for those of
   * sessions that are known to have ended. `'refuse'`: 503.
   */
  readonly whenStale?: "allow" | "refuse";
  /** Accepts http to another machine: credentials then cross the network in the clear. */
  readonly allowHttp?: boolean;
} & (
  | {
      /** A client of the service with the grant `client_credentials` and the scope `daypass:feed`. */
      readonly clientId: string;
      readonly clientSecret: string;
    }
  | {
      /** Tokens from elsewhere. Asked before each request, so it should keep its token while that is good. */
      readonly bearer: () => string | Promise<string>;
    }
);

/** What a verifier follows. */
export interface Following {
  readonly followed: Followed;
  close(): void;
}

/** A Daypass service's revocation feed: made by `revocationFeed`. Shows no credentials. */
export class RevocationFeed {
  readonly #options: FeedOptions;

  /** @internal */
  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Begins to follow. `issuer` is who the feed's tokens are for. @internal */
  start(around: Surroundings, issuer: string): Following {
    const options = this.#options;
    const {
      mode = "stream",
      pollEveryMs = 1000,
      maxStalenessMs = 30_000,
      whenStale = "allow",
      allowHttp = false,
    } = options;
    if (!(pollEveryMs >= 10) || !(maxStalenessMs >= 2 * pollEveryMs)) {
      throw new ConfigError("polls are 10 ms apart or more, and there are two at least in maxStalenessMs");
    }
    if ((mode !== "poll" && mode !== "stream") || (whenStale !== "allow" && whenStale !== "refuse")) {
      throw new ConfigError("the feed's mode is 'poll' or 'stream', and whenStale 'allow' or 'refuse'");
    }
    const base = options.url.replace(/\/+$/, "").replace(/\/v1\/revocations$/, "");
    const feed = parseUrl(base + FEED_PATH, allowHttp);
    if (feed.search !== "") throw new ConfigError("the url of the revocation feed has a query");
    const followed = new Followed(around.clock, maxStalenessMs, whenStale === "refuse", mode);
    const wire = new Wire(around, feed, credentialsOf(options, around, base, issuer));
    const follower = new Follower(around, feed, wire, followed, new Schedule(pollEveryMs), mode);
    follower.start();
    const close = () => {
      follower.stop();
      followed.close();
    };
    return { followed, close };
  }
}

function credentialsOf(options: FeedOptions, around: Surroundings, base: string, issuer: string) {
  if ("bearer" in options && typeof options.bearer === "function") return new BearerSource(options.bearer);
  if ("clientId" in options && options.clientId && options.clientSecret) {
    const endpoint = parseUrl(`${base}/oauth2/token`, options.allowHttp === true);
    return new ClientCredentials(around, endpoint, options.clientId, options.clientSecret, issuer);
  }
  throw new ConfigError("the revocation feed needs clientId and clientSecret, or another source of tokens");
}

/**
 * A Daypass service's revocation feed. A session that was ended at the service is refused as soon as the stream says so, or
 * after the next poll, tokens that were seen before included.
 */
export function revocationFeed(options: FeedOptions): RevocationFeed {
  return new RevocationFeed(options);
}
