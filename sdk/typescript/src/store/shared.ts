// A store that tabs share: whoever has the right to read and write at once makes the exchange.

import { type Environment, randomId } from "../environment.js";
import { announcer } from "./announce.js";
import type { Exchange, Stored, TokenStore } from "./store.js";

/** Reads what is there, and writes what `change` makes of it, if anything: nobody else writes in between. */
export type Transact = (change?: (there: Stored) => Stored | undefined) => Promise<Exchange>;

export function sharedStore(env: Environment, name: string, transact: Transact): TokenStore {
  const { post, listen } = announcer(env, name);
  return {
    load: async () => (await transact()).stored,
    compareExchange: async (version, record) => {
      const exchange = await transact((there) =>
        there.version === version ? { version: randomId(), record } : undefined,
      );
      if (exchange.done) post(0);
      return exchange;
    },
    subscribe: listen,
  };
}

/** What is there, or what is to be there from now on. */
export function outcome(there: Stored | null | undefined, change?: (there: Stored) => Stored | undefined): Exchange {
  const stored = there ?? { version: "", record: null };
  const next = change?.(stored);
  return { done: !!next, stored: next ?? stored };
}
