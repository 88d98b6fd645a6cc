// When an access token is renewed: the rule, without clock or network. Times are in milliseconds.

import { endOf, type Served } from "./record.js";

/** What to do with the token at hand: use it, use it and renew it meanwhile, or renew it first. */
export type Need = "fresh" | "behind" | "wait";

/** When something was, on both clocks. */
export interface Moment {
  readonly wall: number;
  readonly running: number;
}

/** An access token with all that tells how long it serves, and when this process asked for it or read it from a store. */
export interface Current extends Moment {
  /** The record that it came with: when it was asked for by the wall clock, and for how long it serves. */
  readonly record: Served;
  /** Whether this process asked for it. */
  readonly here: boolean;
  /** From 0 to 1, drawn once for each token, so that those who signed in together do not renew together. */
  readonly jitter: number;
}

const SOFT = 60_000;
const HARD = 10_000;
const TOO_YOUNG_TO_RENEW_AHEAD = 30_000;
const TOO_YOUNG_TO_BE_REFUSED = 10_000;
/** A session that ends this much after its token ends with it: both are told in whole seconds. */
const ROUNDING = 1000;

function lifetime({ record }: Current): number {
  return record.expires_in * 1000;
}

/** The token's age: the greater one of what both clocks say. A wall clock that stands before the request says nothing. */
function age(current: Current, { wall, running }: Moment): number {
  return Math.max(wall - current.record.requested_at_ms, running - current.running, 0);
}

/** How long the token still serves. */
export function left(current: Current, now: Moment): number {
  return lifetime(current) - age(current, now);
}

/** What to do with the token for somebody who wishes it to serve for `least` milliseconds more. */
export function need(current: Current, now: Moment, least = 0): Need {
  const life = lifetime(current);
  const remains = left(current, now);
  if (remains <= 0) return "wait";
  // The service cuts tokens to the session's end: another would serve no longer. Nor would it be of use to ask again and
  // again for a token that never serves so long.
  if (endOf(current.record) - now.wall <= remains + ROUNDING) return "fresh";
  if (life - remains < Math.min(TOO_YOUNG_TO_RENEW_AHEAD, life / 4)) return "fresh";
  if (remains <= Math.max(Math.min(HARD, life / 20), least)) return "wait";
  return life - remains >= renewedAt(current) ? "behind" : "fresh";
}

/** The age at which the token is renewed if it is in use, and not too young. */
function renewedAt(current: Current): number {
  const life = lifetime(current);
  const { refresh_in } = current.record;
  const soft = Math.min(SOFT, life / 5) * (0.75 + current.jitter / 2);
  return refresh_in === undefined ? life - soft : refresh_in * 1000;
}

/**
 * Whether a refusal of the token means that it has to be renewed. A server that refuses one this young would refuse the
 * next one too; but one from a store whose wall clock has been set back since may be of any age.
 */
export function isRefusable(current: Current, now: Moment): boolean {
  const unsure = !current.here && current.record.requested_at_ms > Math.min(current.wall, now.wall);
  return unsure || age(current, now) >= Math.min(TOO_YOUNG_TO_BE_REFUSED, lifetime(current) / 4);
}
