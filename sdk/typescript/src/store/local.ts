// A session in localStorage, for the tabs of one origin.

import { type Environment, environment, webLock } from "../environment.js";
import { config } from "../errors.js";
import { outcome, sharedStore } from "./shared.js";
import type { Stored, TokenStore } from "./store.js";

/** How long a writer waits for another, in milliseconds. Writing takes less than one. */
const WRITERS_WAIT = 5000;

/** Where in localStorage a session is kept. */
export interface LocalStorageOptions {
  /** The key; `daypass` if absent. */
  readonly key?: string;
  /** For tests. */
  readonly environment?: Partial<Environment>;
}

/**
 * Keeps the session in localStorage, where every script of the page's origin can read it. It has no exchange of its own:
 * writers take a Web Lock, and without those the store refuses to write. Prefer `indexedDbStore`.
 */
export function localStorageStore({ key = "daypass", environment: replaced }: LocalStorageOptions = {}): TokenStore {
  const env = environment(replaced);
  const name = `local:${key}`;
  return sharedStore(env, name, async (change) => {
    const release = change && (await webLock(env, `daypass:${name}`, WRITERS_WAIT));
    if (change && !release) throw config("localStorage can be shared only where there are Web Locks");
    try {
      const exchange = outcome(JSON.parse(env.localStorage.getItem(key) ?? "null") as Stored | null, change);
      if (exchange.done) env.localStorage.setItem(key, JSON.stringify(exchange.stored));
      return exchange;
    } finally {
      release?.();
    }
  });
}
