// A session in IndexedDB, for the tabs of one origin: its transactions are the atomic exchange.

import { type Environment, environment } from "../environment.js";
import { outcome, sharedStore, type Transact } from "./shared.js";
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
  onerror: ((event: unknown) => void) | null;
}

interface Transaction {
  objectStore(name: string): {
    get(key: string): Request<Stored | undefined>;
    put(value: Stored, key: string): Request<unknown>;
  };
  oncomplete: (() => void) | null;
  onabort: ((event: unknown) => void) | null;
}

interface Database {
  transaction(store: string, mode: string, options: { durability: "strict" }): Transaction;
  createObjectStore(name: string): unknown;
  close(): void;
}

interface Factory {
  open(name: string, version: number): Request<Database> & { onupgradeneeded: (() => void) | null };
}

const DATABASE = "daypass";
const STORE = "sessions";

/** Keeps the session in IndexedDB, where every script of the page's origin can read it. */
export function indexedDbStore({ name = "default", environment: replaced }: IndexedDbOptions = {}): TokenStore {
  const env = environment(replaced);
  return sharedStore(env, `indexed:${name}`, async (change) => {
    // An open one could be in the way of a later release's.
    const database = await open(env);
    return exchange(database, name, change).finally(() => database.close());
  });
}

function open(env: Environment): Promise<Database> {
  return new Promise((resolve, reject) => {
    // Where there is none, this throws.
    const request = (env.indexedDB as Factory).open(DATABASE, 1);
    request.onupgradeneeded = () => void request.result.createObjectStore(STORE);
    request.onerror = () => reject(request.error);
    request.onsuccess = () => resolve(request.result);
  });
}

/**
 * One transaction: it reads, and writes what `change` makes of that. It is over when the disk has it. A read does not commit
 * before it has its answer: after that, Chromium 156 may lose its whole IndexedDB when another tab crashes.
 */
function exchange(database: Database, name: string, ...[change]: Parameters<Transact>): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const mode = change ? "readwrite" : "readonly";
    const transaction = database.transaction(STORE, mode, { durability: "strict" });
    const store = transaction.objectStore(STORE);
    const request = store.get(name);
    let exchange: Exchange;
    request.onsuccess = () => {
      exchange = outcome(request.result, change);
      if (exchange.done) store.put(exchange.stored, name);
    };
    transaction.oncomplete = () => resolve(exchange);
    transaction.onabort = reject;
  });
}
