// What keeps a session: the contract, and the store of one process.

import type { Release } from "../environment.js";
import type { SessionRecord } from "../record.js";

/** What a store holds. */
export interface Stored {
  /** Names this state. Every write makes a new name, which never comes again; empty for a store that nobody wrote to. */
  readonly version: string;
  /** The session, if there is one. */
  readonly record: SessionRecord | null;
}

/** How an exchange went: the new record is there, or somebody was quicker and this is what is there now. */
export interface Exchange {
  readonly done: boolean;
  readonly stored: Stored;
}

/**
 * Keeps one session, and lets nobody overwrite what he has not read.
 *
 * A call that has not ended after ten seconds counts as failed, and may still succeed later.
 *
 * Correctness rests on `compareExchange` alone; `lock` only saves work. The safe error is to fail: a store that is not
 * sure that a record will be there after a crash throws, and the client then repeats the rotation that it has on record
 * instead of starting another.
 */
export interface TokenStore {
  /** False if copies of this store cannot agree on attempt ids: then none are sent. */
  readonly ids?: boolean;
  /** Reads what is kept. */
  load(): Promise<Stored>;
  /**
   * Replaces what is kept if it is still of the version that the caller read, atomically and durably. `null` removes
   * the record.
   */
  compareExchange(version: string, record: SessionRecord | null): Promise<Exchange>;
  /**
   * Waits up to `wait` milliseconds for the right to renew, across all who share the store. Null: go on without. A
   * store without this method is guarded by a Web Lock where there are any.
   */
  lock?(wait: number): Promise<Release | null>;
  /** Calls when somebody else may have changed the store. */
  subscribe?(listener: () => void): Release;
}

/** Keeps the session while the page or the process lasts. */
export function memoryStore(): TokenStore {
  let stored: Stored = { version: "", record: null };
  let writes = 0;
  return {
    load: async () => stored,
    compareExchange: async (version, record) => {
      const done = version === stored.version;
      if (done) stored = { version: String(++writes), record };
      return { done, stored };
    },
    lock: async () => null,
  };
}
