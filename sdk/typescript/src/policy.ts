// When an access token is renewed: the rule, without clock or network. Times are in milliseconds.

import type { Access } from "./record.js";

/** What to do with the token at hand: use it, use it and renew it meanwhile, or renew it first. */
export type Need = "fresh" | "behind" | "wait";

/** When something was, on both clocks. */
export interface Moment {
  readonly wall: number;
  readonly running: number;
}

/** An access token, what tells how old it is, and its own share of randomness. */
export interface Current {
  readonly access: Access;
  /** When it was asked for, or read, on the clock that never goes back. */
  readonly running: number;
  /** Whether this process asked for it. What was read from a store has its age from the wall clock alone. */
  readonly here: boolean;
  /** The wall clock when it was read. */
  readonly readAt: number;
  /** From 0 to 1, drawn once for each token, so that those who signed in together do not renew together. */
  readonly jitter: number;
}

const SOFT = 60_000;
const HARD = 10_000;
const TOO_YOUNG_TO_RENEW_AHEAD = 30_000;
const TOO_YOUNG_TO_BE_REFUSED = 10_000;
/** A session that ends this much after its token ends with it: both are told in whole seconds. */
const ROUNDING = 1000;

export function lifetime(current: Current): number {
  return current.access.expiresIn * 1000;
}

/** The token's age: the greater one of what both clocks say. A wall clock that stands before the request says nothing. */
export function age({ access, running }: Current, now: Moment): number {
  return Math.max(now.wall - access.requestedAt, now.running - running, 0);
}

/** What to do with the token, in a session that ends at `endsAt` on the wall clock, or has no end. */
export function need(current: Current, endsAt: number | undefined, now: Moment): Need {
  const life = lifetime(current);
  const old = age(current, now);
  const left = life - old;
  if (left <= 0) return "wait";
  // The service cuts tokens to the session's end: another would serve no longer.
  if (endsAt !== undefined && endsAt - now.wall <= left + ROUNDING) return "fresh";
  if (tooYoungToRenewAhead(current, now)) return "fresh";
  if (left <= Math.min(HARD, life / 20)) return "wait";
  return old >= renewedAt(current) ? "behind" : "fresh";
}

/** The age at which the token is renewed if it is in use. */
export function renewedAt(current: Current): number {
  const life = lifetime(current);
  const soft = Math.min(SOFT, life / 5) * (0.75 + current.jitter / 2);
  const { refreshIn } = current.access;
  const wished = refreshIn === undefined ? life - soft : refreshIn * 1000;
  return Math.max(wished, Math.min(TOO_YOUNG_TO_RENEW_AHEAD, life / 4));
}

export function tooYoungToRenewAhead(current: Current, now: Moment): boolean {
  return age(current, now) < Math.min(TOO_YOUNG_TO_RENEW_AHEAD, lifetime(current) / 4);
}

/**
 * Whether a refusal of the token means that it has to be renewed. A server that refuses one this young would refuse the
 * next one too; but one from a store whose wall clock has been set back since may be of any age.
 */
export function isRefusable(current: Current, now: Moment): boolean {
  const { requestedAt } = current.access;
  const sure = current.here || (requestedAt <= current.readAt && requestedAt <= now.wall);
  return !sure || age(current, now) >= Math.min(TOO_YOUNG_TO_BE_REFUSED, lifetime(current) / 4);
}
