// What a session tells its host: its state, and what happens to it.

import type { SignOutReason } from "./errors.js";

/**
 * What a session is worth at the moment. The same object until something changes, as `useSyncExternalStore` wants it.
 *
 * - `unknown`: the store has not been read, or only the service can tell whether the browser has a cookie.
 * - `signed-out`: there is no session.
 * - `active`: signed in, with an access token that serves.
 * - `stale`: signed in, without an access token that serves: the next call renews it.
 * - `unreachable`: signed in, but the last renewal was given up because the service did not answer.
 */
export type SessionState =
  | { readonly status: "unknown" }
  | { readonly status: "signed-out"; readonly reason: SignOutReason }
  | { readonly status: "active" | "stale" | "unreachable"; readonly sessionId: string };

/** What happens. Events come after the session is in the state that they tell of. */
export interface Events {
  /** Somebody is signed in now, here or in another tab or process. */
  readonly signedin: Readonly<Record<string, never>>;
  /** The session is over. Once for each session. */
  readonly signedout: { readonly reason: SignOutReason };
  /** There is a new access token. */
  readonly refreshed: Readonly<Record<string, never>>;
  /** A renewal was given up because the service did not answer. The session is kept. */
  readonly unreachable: Readonly<Record<string, never>>;
  /** The service answers again. */
  readonly reachable: Readonly<Record<string, never>>;
  /** The store could not be written. Calls go on, as long as the rotation on record can be repeated. */
  readonly persistfailed: Readonly<Record<string, never>>;
  /** The store keeps the session's tokens again. */
  readonly persisted: Readonly<Record<string, never>>;
  /** The service's clock is this many seconds ahead of this machine's; told when it differs by more than a minute. */
  readonly skew: { readonly seconds: number };
}
