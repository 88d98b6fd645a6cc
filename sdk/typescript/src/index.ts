// Keeps a page or a program signed in with a Daypass token service.

export { type NotReplayed, notReplayed } from "./call/fetch.js";
export type { Channel, Environment, KeyValue, Lifecycle, Locks, Place, Release } from "./environment.js";
export { type ErrorCode, type ErrorDetails, SessionError, type SignOutReason } from "./errors.js";
export type { Events, SessionState } from "./events.js";
export type { Attempt, SessionRecord } from "./record.js";
export { createSession, type Session, type SessionOptions, type TokenRequest } from "./session.js";
export { type IndexedDbOptions, indexedDbStore } from "./store/indexed.js";
export { type Exchange, memoryStore, type Stored, type TokenStore } from "./store/store.js";
export type { Pair, Transport } from "./wire/pair.js";
export type { Credentials } from "./wire/request.js";
