// A session in localStorage, for the tabs of one origin.

import { type Environment, environment, randomId, webLock } from "../environment.js";
import { config } from "../errors.js";
import { Announcer } from "./announce.js";
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
export function localStorageStore({ key = "daypass", ...options }: LocalStorageOptions = {}): TokenStore {
  const env = environment(options.environment);
  const announcer = new Announcer(env, `daypass:local:${key}`);
  const read = (): Stored => {
    if (!env.localStorage) throw config("there is no localStorage here");
    const text = env.localStorage.getItem(key);
    return text === null ? { version: "", record: null } : (JSON.parse(text) as Stored);
  };
  return {
    load: async () => read(),
    compareExchange: async (version, record) => {
      const release = await webLock(env, `daypass:local:${key}`, WRITERS_WAIT);
      if (!release) throw config("localStorage can be shared by tabs only where there are Web Locks");
      try {
        const there = read();
        if (there.version !== version) return { done: false, stored: there };
        const stored = { version: randomId(env), record };
        env.localStorage?.setItem(key, JSON.stringify(stored));
        announcer.post(null);
        return { done: true, stored };
      } finally {
        release();
      }
    },
    subscribe: (listener) => announcer.listen(listener),
  };
}
