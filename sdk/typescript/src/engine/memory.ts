// What the engine knows between two calls, and how it changes: values in, values out.

import type { SessionError, SignOutReason } from "../errors.js";
import type { Events, SessionState } from "../events.js";
import { age, type Current, lifetime, type Moment, type Need, need, renewedAt } from "../policy.js";
import { type SessionRecord, sameSession } from "../record.js";
import type { Stored } from "../store/store.js";
import { Backoff } from "./backoff.js";

/** A record as the store has it. */
export interface Kept {
  readonly record: SessionRecord;
  readonly version: string;
  /** What the store would not take: never sent, and written when the store takes it. */
  readonly unwritten?: SessionRecord;
}

/** Who is signed in. A session without an id is one that only the browser's cookie knows, if there is one. */
export type Known =
  | { readonly is: "unknown" }
  | { readonly is: "out"; readonly reason: SignOutReason }
  | { readonly is: "in"; readonly kept: Kept; readonly current: Current | undefined };

/** How a renewal ended for those who waited: with a token, with an error, or look again. */
export type End = { readonly token: string } | { readonly error: SessionError } | "overtaken";

/** A renewal under way, as those see it who wait for it. */
export class Handle {
  readonly ended: Promise<End>;
  /** Stops the request under way, where its answer is not wanted any more. */
  readonly stop: AbortController = new AbortController();
  end!: (end: End) => void;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }
}


type Told = { [K in keyof Events]: { readonly name: K; readonly event: Events[K] } }[keyof Events];

export class Memory {
  known: Known = { is: "unknown" };
  /** The renewal under way. What is not under way here any more has been overtaken. */
  flight: Handle | undefined;
  backoff: Backoff = new Backoff();
  /** The session that ended here last: what a store still holds of it is not used. */
  ended: string | undefined;
  /** The state of the store with which no cookie was sent: nobody asks again until it changes. */
  cookieless: string | undefined;
  /** Whether the store has told of a change that nobody has looked at. */
  unseen = false;
  skew = 0;
  unreachable = false;
  unpersisted = false;
  readonly outbox: Told[] = [];

  /** What the session is worth. */
  state(now: Moment): SessionState {
    const { known } = this;
    if (known.is === "out") return { status: "signed-out", reason: known.reason };
    if (known.is === "unknown" || known.kept.record.sessionId === "") return { status: "unknown" };
    const { sessionId } = known.kept.record;
    if (this.unreachable) return { status: "unreachable", sessionId };
    return { status: this.serving(now) === undefined ? "stale" : "active", sessionId };
  }

  get kept(): Kept | undefined {
    return this.known.is === "in" ? this.known.kept : undefined;
  }

  get current(): Current | undefined {
    return this.known.is === "in" ? this.known.current : undefined;
  }

  /** Why nobody is signed in. */
  get reason(): SignOutReason {
    return this.known.is === "out" ? this.known.reason : "not_signed_in";
  }

  /** What to do with the token at hand. */
  need(now: Moment): Need {
    const { kept, current } = this;
    return kept && current ? need(current, newest(kept).endsAt, now) : "wait";
  }

  /** The token at hand, while it serves. */
  serving(now: Moment): string | undefined {
    const { current } = this;
    return current && age(current, now) < lifetime(current) ? current.access.token : undefined;
  }

  /** How long until the token at hand is renewed if it is in use; nothing if there is none. */
  dueIn(now: Moment): number {
    return this.current ? Math.max(renewedAt(this.current) - age(this.current, now), 0) : 0;
  }

  /** Takes over what a store holds, if it is not what is known already. The answer is what can be used of it. */
  reconcile({ version, record }: Stored, now: Moment, jitter: number): Kept | undefined {
    if (record && version === this.cookieless) return undefined;
    if (!record || (record.sessionId !== "" && record.sessionId === this.ended)) {
      if (this.known.is === "unknown" || this.kept?.record.sessionId === "") {
        this.known = { is: "out", reason: "not_signed_in" };
      } else if (this.known.is === "in") {
        // It did not end here: if the store has it again, it is used again.
        const { ended } = this;
        this.signOut("signed_out");
        this.ended = ended;
      }
      return undefined;
    }
    if (this.kept?.version !== version) this.take(record, version, now, jitter);
    return this.kept;
  }

  /** Takes over a record that somebody else wrote, or that was there before. */
  private take(record: SessionRecord, version: string, now: Moment, jitter: number): void {
    const { known, kept: old, current: ours } = this;
    const same = old !== undefined && sameSession(old.record, record);
    if (record.sessionId && (known.is === "out" || (old && !same))) this.tell("signedin", {});
    // Ours that was never written is still the newest there is, or somebody has written as much.
    const mine = same ? old.unwritten : undefined;
    const unwritten = mine && mine.generation > record.generation ? mine : undefined;
    let current = same ? ours : undefined;
    const { access } = record;
    // What this process asked for itself it knows the age of.
    if (access && !unwritten && access.token !== current?.access.token) {
      current = { access, running: now.running, here: false, readAt: now.wall, jitter };
    }
    if (!unwritten) this.persisted();
    this.known = { is: "in", kept: { record, version, ...(unwritten && { unwritten }) }, current };
  }

  /** What a renewal has brought. */
  hold(kept: Kept, current: Current): void {
    const before = this.kept?.record;
    this.known = { is: "in", kept, current };
    // A cookie that only the browser knew, or that somebody has replaced behind our back.
    if (!before?.sessionId || !sameSession(before, kept.record)) this.tell("signedin", {});
  }

  /** The session is over. */
  signOut(reason: SignOutReason): void {
    const { kept } = this;
    this.known = { is: "out", reason };
    if (!kept?.record.sessionId) return;
    this.ended = kept.record.sessionId;
    this.unpersisted = false;
    this.unreachable = false;
    this.tell("signedout", { reason });
  }

  /** Somebody has signed in, and the store has it. */
  signIn(record: SessionRecord, version: string, current: Current): void {
    const { kept } = this;
    this.land("overtaken");
    this.ended = undefined;
    this.cookieless = undefined;
    this.known = { is: "in", kept: { record, version }, current };
    this.persisted();
    if (!kept || !sameSession(kept.record, record)) this.tell("signedin", {});
  }

  /** The renewal under way is over. */
  land(end: End): void {
    const { flight } = this;
    this.flight = undefined;
    flight?.end(end);
  }

  /** The service has answered, whatever it said. */
  reached(): void {
    this.backoff.answered();
    this.reachable();
  }

  reachable(): void {
    if (this.unreachable) this.tell("reachable", {});
    this.unreachable = false;
  }

  /** A renewal was given up. */
  unreached(retryAfter: number | undefined): void {
    if (!this.unreachable && this.known.is === "in") {
      this.unreachable = true;
      this.tell("unreachable", retryAfter === undefined ? {} : { retryAfter });
    }
  }

  /** The store has all there is. */
  persisted(): void {
    if (this.unpersisted) this.tell("persisted", {});
    this.unpersisted = false;
  }

  /** The store would not take something. */
  persistFailed(): void {
    if (!this.unpersisted) this.tell("persistfailed", {});
    this.unpersisted = true;
  }

  /** Takes note of the service's clock, by an answer to what was asked between these two times of the wall clock. */
  noteClock(serverTime: number | undefined, asked: number, answered: number): void {
    if (serverTime === undefined) return;
    // What is less than a minute is of no consequence.
    const ahead = Math.trunc((serverTime - (asked + answered) / 2) / 1000);
    const told = Math.abs(ahead) > 60 ? ahead : 0;
    if (Math.abs(told - this.skew) <= 60) return;
    this.skew = told;
    this.tell("skew", { seconds: told });
  }

  tell<K extends keyof Events>(name: K, event: Events[K]): void {
    this.outbox.push({ name, event } as Told);
  }
}

/** The newest record of the session, written or not. */
export function newest(kept: Kept): SessionRecord {
  return kept.unwritten ?? kept.record;
}
