// A session as its host sees it.

import { abortable, call } from "./call/fetch.js";
import { signIn, signOut } from "./engine/change.js";
import { startEager } from "./engine/eager.js";
import { listen, newEngine, stateOf, wake } from "./engine/engine.js";
import { accessToken } from "./engine/renewal.js";
import { type Environment, environment, isBrowser, type Release } from "./environment.js";
import { config } from "./errors.js";
import type { Events, SessionState } from "./events.js";
import { indexedDbStore } from "./store/indexed.js";
import { memoryStore, type TokenStore } from "./store/store.js";
import { tabStore } from "./store/tabs.js";
import type { Transport } from "./wire/pair.js";
import type { Credentials } from "./wire/request.js";

/** Describes a session. */
export interface SessionOptions {
  /** The service's URL, its issuer. It may have a path. In a page it may be relative. */
  readonly baseUrl: string;
  /** The origins that may have the access token, each `https://host` or `https://host:port`. */
  readonly allowedOrigins: readonly string[];
  /** How refresh tokens travel: `cookie` in browsers and `token` elsewhere if absent. */
  readonly transport?: Transport;
  /**
   * Where the session is kept. With `token` it holds the tokens; in memory if absent. With `cookie` it holds the attempt
   * ids that the tabs share; in IndexedDB if absent. `null`: no ids are sent, as pages of several origins have to do that
   * use one cookie.
   */
  readonly store?: TokenStore | null;
  /** When tokens are renewed: when somebody calls, or also while nobody does and the page can be seen. */
  readonly refresh?: "on-demand" | "eager";
  /**
   * Where somebody whose session ends is led, with the place to come back to as `return_to`. Nowhere if absent. Whoever was
   * not signed in to begin with is not led anywhere: that is the page's to decide, by `state` or the error of its call.
   */
  readonly loginUrl?: string;
  /** The registered client that sessions are opened on; the service's built-in one if absent. */
  readonly clientId?: string;
  /** Whether service and origins may be http on other machines than this one. For tests on a closed network. */
  readonly allowHttp?: boolean;
  /** For tests: replaces parts of the platform. */
  readonly environment?: Partial<Environment>;
}

/** How an access token is asked for. */
export interface TokenRequest {
  /** How long the token has to serve at least, in seconds, where tokens serve so long at all. */
  readonly minValidity?: number;
  /**
   * A token that a server has refused with `invalid_token`. If that one was issued just now, the server is wrong about
   * it and another would be refused as well: then **the same token comes back**, and the call must not be replayed.
   */
  readonly rejected?: string;
  /** Stops the waiting, never the renewal. */
  readonly signal?: AbortSignal;
}

/** Keeps a page or a program signed in with one token service. Its functions need no `this`. */
export interface Session {
  /** What the session is worth: the same object until that changes. */
  readonly state: SessionState;
  /** Calls whenever `state` has changed, but for a token that expires while nobody calls. */
  readonly subscribe: (listener: () => void) => Release;
  /** Listens to one kind of event. */
  readonly on: <K extends keyof Events>(event: K, listener: (event: Events[K]) => void) => Release;
  /** As the platform's `fetch`, with the access token for the allowed origins. */
  readonly fetch: (input: Request | URL | string, init?: RequestInit) => Promise<Response>;
  /** An access token that serves. Everybody who asks meanwhile waits for one renewal. */
  readonly getAccessToken: (request?: TokenRequest) => Promise<string>;
  /** Signs in, and replaces whoever was signed in. It is sent once and not retried. */
  readonly signIn: (credentials: Credentials) => Promise<void>;
  /**
   * Signs out: here at once, in the store, and at the service. With `everywhere` all sessions of the same person are ended
   * there; if the access token has expired it is renewed first, and where nobody is signed in any more there is nobody to ask in
   * the name of: that is an error then. After an error nobody is signed in here either.
   */
  readonly signOut: (options?: { readonly everywhere?: boolean }) => Promise<void>;
  /** The host has noticed that it is online again, or awake. Pages notice by themselves. */
  readonly wake: () => void;
  /** Stops listening to page, network and store. A renewal under way is finished. */
  readonly close: () => void;
}

/** Makes a session. It reads the store, and sends nothing before somebody calls. */
export function createSession(options: SessionOptions): Session {
  const { clientId: client_id, loginUrl, allowHttp = false } = options;
  const env = environment(options.environment);
  const transport = options.transport ?? (isBrowser() ? "cookie" : "token");
  const service = checked(options.baseUrl, env, allowHttp).href.replace(/\/+$/, "");
  const origins = new Set(list(options.allowedOrigins).map((text) => checked(text, env, allowHttp, /^\/$/).origin));
  const engine = newEngine({ env, service, client_id, transport, store: storeOf(options, env, transport, service) });
  if (options.refresh === "eager") startEager(engine);
  // Whoever leaves the page breaks off what it asks for: a sign-out is finished first.
  if (loginUrl) {
    const away = () => void engine.changing.then(() => lead(env, loginUrl));
    engine.closing.push(listen(engine, "signedout", away));
  }
  return {
    get state() {
      return stateOf(engine);
    },
    subscribe: (listener) => listen(engine, "state", listener),
    on: (event, listener) => listen(engine, event, listener),
    fetch: (input, init) => call(engine, origins, input, init),
    getAccessToken: ({ signal, ...wish } = {}) => abortable(accessToken(engine, wish), signal),
    signIn: (credentials) => signIn(engine, credentials),
    signOut: ({ everywhere = false } = {}) => signOut(engine, everywhere),
    wake: () => wake(engine, true),
    close: () => {
      for (const release of engine.closing.splice(0)) release?.();
    },
  };
}

function storeOf({ store }: SessionOptions, env: Environment, transport: Transport, service: string): TokenStore {
  if (transport === "token") return store ?? memoryStore();
  const ids = store === undefined ? indexedDbStore({ name: service, environment: env }) : store;
  return tabStore(env, service, ids);
}

/** Leads to the sign-in, and from there back to this place. */
function lead(env: Environment, loginUrl: string): void {
  const { location } = env;
  if (!location) return;
  const url = new URL(loginUrl, location.href);
  url.searchParams.set("return_to", location.href);
  location.assign(url.href);
}

/** What has to be a list, also where no compiler has seen it. */
function list(what: readonly string[]): readonly string[] {
  if (!Array.isArray(what)) throw config("allowedOrigins: no list");
  return what;
}

/** What nobody on the way can read: encrypted, or on this machine. */
const SAFE = /^(https:|http:\/\/(localhost|127(\.\d+){3}|\[::1])[:/])/;

/** A URL that tokens may go to. */
function checked(text: string, env: Environment, allowHttp: boolean, path = /^/): URL {
  const safe = allowHttp ? /^https?:/ : SAFE;
  try {
    const url = new URL(text, env.location?.href);
    // A query and a fragment that are empty are there as well.
    if (path.test(url.pathname) && safe.test(url.href) && !/[?#@]/.test(url.href)) return url;
  } catch {
    // No URL at all.
  }
  throw config("no plain https URL");
}
