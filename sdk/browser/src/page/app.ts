// A page with a session, which tests steer.

import {
  createSession,
  indexedDbStore,
  memoryStore,
  notReplayed,
  type Session,
  type SessionOptions,
  type TokenStore,
} from "@daypass/client";
import { localStorageStore } from "@daypass/client/local-storage";

import { fastClock } from "../fast.js";
import type { App, Made, Opened } from "../protocol.js";

const EVENTS = [
  "signedin",
  "signedout",
  "refreshed",
  "unreachable",
  "reachable",
  "persistfailed",
  "persisted",
  "skew",
] as const;

let session: Session;
const events: string[] = [];
const states: string[] = [];
const listeners = new Set<(name: string) => unknown>();

function optionsOf({ store, fast, ...given }: Opened): SessionOptions {
  const stores = { memory: memoryStore, localStorage: localStorageStore, indexedDB: indexedDbStore };
  const named = store && stores[store]();
  return {
    ...given,
    ...(named && { store: held(named) }),
    ...(fast && { environment: fastClock(fast) }),
  };
}

let heldFrom = Infinity;
let release: (() => void) | undefined;
let opened = Promise.resolve();

/** The store, whose writes can be held back. */
function held(store: TokenStore): TokenStore {
  return {
    ...store,
    compareExchange: async (version, record) => {
      if (record && record.generation >= heldFrom) {
        if (!release) opened = new Promise((resolve) => (release = resolve));
        await opened;
      }
      return store.compareExchange(version, record);
    },
  };
}

/** Says what became of something. */
async function told(work: () => Promise<Partial<Made>>): Promise<Made> {
  const began = performance.now();
  const made = await work().catch((error: Error & { code?: string }) => ({
    error: typeof error.code === "string" ? error.code : error.name,
    message: error.message,
  }));
  return { took: performance.now() - began, ...made };
}

function bodyOf({ body, stream }: { body?: string; stream?: boolean }): RequestInit {
  if (body === undefined) return {};
  const bytes = new TextEncoder().encode(body);
  if (!stream) return { body: bytes };
  const readable = new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
  return { body: readable, duplex: "half" } as RequestInit;
}

const app: App = {
  open(opened) {
    session = createSession(optionsOf(opened));
    const note = (): void => void (states.at(-1) !== session.state.status && states.push(session.state.status));
    note();
    session.subscribe(note);
    for (const name of EVENTS) {
      session.on(name, () => {
        events.push(name);
        for (const listener of listeners) listener(name);
      });
    }
  },
  signIn: (username, password) => told(() => session.signIn({ username, password }).then(() => ({}))),
  call: (url, { method = "GET", ...body }) =>
    told(async () => {
      const answer = await session.fetch(url, { method, ...bodyOf(body) });
      const marked = notReplayed(answer);
      return { status: answer.status, body: await answer.text(), ...(marked && { marked }) };
    }),
  token: (request) => told(async () => ({ token: await session.getAccessToken(request) })),
  signOut: (everywhere) => told(() => session.signOut({ everywhere }).then(() => ({}))),
  told: () => ({ state: session.state.status, events, states }),
  onEvent: (run) => void listeners.add(run),
  holdStore: (generation) => {
    heldFrom = generation;
  },
  storeHolds: () => release !== undefined,
  releaseStore: () => {
    heldFrom = Infinity;
    release?.();
    release = undefined;
  },
};

globalThis.app = app;
