// A session in IndexedDB, for the tabs of one origin: its transactions are the atomic exchange.

import { type Environment, environment, randomId } from "../environment.js";
import { config } from "../errors.js";
import { Announcer } from "./announce.js";
import type { Exchange, Stored, TokenStore } from "./store.js";

/** Where in IndexedDB a session is kept. */
export interface IndexedDbOptions {
  /** Names the session, for pages that keep several; `default` if absent. */
  readonly name?: string;
  /** For tests. */
  readonly environment?: Partial<Environment>;
}

interface Request<T> {
  readonly result: T;
  readonly error: unknown;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
}

interface Transaction {
  readonly error: unknown;
  objectStore(name: string): {
    get(key: string): Request<Stored | undefined>;
    put(value: Stored, key: string): Request<unknown>;
  };
  oncomplete: (() => void) | null;
  onabort: (() => void) | null;
}

interface Database {
  transaction(store: string, mode: string, options: { durability: "strict" }): Transaction;
  createObjectStore(name: string): unknown;
  close(): void;
  onversionchange: (() => void) | null;
  onclose: (() => void) | null;
}

interface Factory {
  open(name: string, version: number): Request<Database> & {
    onupgradeneeded: (() => void) | null;
    onblocked: (() => void) | null;
  };
}

const DATABASE = "daypass";
const STORE = "sessions";

/** Keeps the session in IndexedDB, where every script of the page's origin can read it. */
export function indexedDbStore({ name = "default", ...options }: IndexedDbOptions = {}): TokenStore {
  const env = environment(options.environment);
  const announcer = new Announcer(env, `daypass:indexed:${name}`);
  let database: Promise<Database> | undefined;
  const forget = () => {
    database = undefined;
  };
  const within = async (mode: "readonly" | "readwrite", change: (there: Stored) => Stored | undefined) => {
    database ??= open(env, forget);
    try {
      return await exchange(await database, name, mode, change);
    } catch (error) {
      forget();
      throw error;
    }
  };
  return {
    load: async () => (await within("readonly", () => undefined)).stored,
    compareExchange: async (version, record) => {
      // Whoever else writes waits for this transaction to end.
      const exchanged = await within("readwrite", (there) =>
        there.version === version ? { version: randomId(env), record } : undefined,
      );
      if (exchanged.done) announcer.post(null);
      return exchanged;
    },
    subscribe: (listener) => announcer.listen(listener),
  };
}

function open(env: Environment, forget: () => void): Promise<Database> {
  return new Promise((resolve, reject) => {
    if (!env.indexedDB) throw config("there is no IndexedDB here");
    const request = (env.indexedDB as Factory).open(DATABASE, 1);
    request.onupgradeneeded = () => void request.result.createObjectStore(STORE);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(request.error);
    request.onsuccess = () => {
      const database = request.result;
      database.onversionchange = () => {
        database.close();
        forget();
      };
      database.onclose = forget;
      resolve(database);
    };
  });
}

/** One transaction: it reads, and writes what `change` makes of that. It is over when the disk has it. */
function exchange(
  database: Database,
  name: string,
  mode: "readonly" | "readwrite",
  change: (there: Stored) => Stored | undefined,
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode, { durability: "strict" });
    const store = transaction.objectStore(STORE);
    const request = store.get(name);
    let outcome: Exchange;
    request.onsuccess = () => {
      const there = request.result ?? { version: "", record: null };
      const next = change(there);
      if (next) store.put(next, name);
      outcome = next ? { done: true, stored: next } : { done: false, stored: there };
    };
    transaction.oncomplete = () => resolve(outcome);
    transaction.onabort = () => reject(transaction.error);
  });
}
