// The renewal of a session, step by step: one at a time, which everybody waits for and nobody can stop.

import { type Release, randomId, randomShare, webLock } from "../environment.js";
import { protocol, SessionError, type SignOutReason, storeFailed } from "../errors.js";
import type { Moment } from "../policy.js";
import {
  attemptsHeader,
  renewed,
  type SessionRecord,
  sameSession,
  withId,
} from "../record.js";
import type { Stored } from "../store/store.js";
import type { Pair } from "../wire/pair.js";
import { refreshRequest } from "../wire/request.js";
import { logOutBehind } from "./change.js";
import type { Engine, Wish } from "./engine.js";
import { type Handle, type Kept, type Memory, newest } from "./memory.js";
import { Tries } from "./tries.js";

/** What a renewal is for: a token that serves, one that is not what was rejected, or one ahead of need. */
export interface Purpose extends Wish {
  readonly ahead?: boolean;
}

/**
 * How long to wait for whoever else renews the same session, in milliseconds. He may be frozen: then this client goes on
 * under the same attempt id, and the service gives both the same.
 */
const LOCK_WAIT = 5000;

/** How often a session is given another generation by the service before that makes no sense. */
const MOST_MISMATCHES = 2;

/** How often somebody else may have written first before this counts as a store that does not write. */
const MOST_EXCHANGES = 16;

/** Somebody has signed in or out meanwhile: nobody waits any more. */
const OVERTAKEN = Symbol();
/** Somebody else is signed in now, as the memory has it: those who wait look again. */
const CHANGED = Symbol();

/** A step led to a token, or is to be followed by another. */
type Step = string | Kept;

export class Flight {
  private readonly tries: Tries;
  private mismatches = 0;

  constructor(
    private readonly engine: Engine,
    private readonly handle: Handle,
    private readonly purpose: Purpose,
  ) {
    this.tries = new Tries(engine);
  }

  async run(): Promise<void> {
    let end: Parameters<Memory["land"]>[0];
    try {
      end = { token: await this.renew() };
    } catch (stop) {
      if (stop === OVERTAKEN) return this.engine.tell();
      if (stop === CHANGED) end = "overtaken";
      else end = { error: stop instanceof SessionError ? stop : storeFailed(stop) };
    }
    const { engine } = this;
    if (engine.memory.flight !== this.handle) return engine.tell();
    engine.settle((memory) => {
      if (typeof end === "object" && "error" in end && end.error.code === "unavailable") {
        memory.unreached(end.error.retryAfter);
      }
      memory.land(end);
    });
  }

  /** Reads the store, rotates, writes the store. What somebody else has written meanwhile serves as well. */
  private async renew(): Promise<string> {
    await this.read();
    const served = this.served();
    if (served !== undefined) return served;
    const release = await this.lock();
    try {
      let step: Step = await this.writeWhatWasNot(await this.read());
      for (;;) {
        const now = this.served();
        if (now !== undefined) return now;
        const header = attemptsHeader(step.record);
        const ids = this.engine.store.ids !== false;
        step = ids && header === undefined ? await this.putAttempt(step) : await this.ask(step, ids ? header : undefined);
        if (typeof step === "string") return step;
      }
    } finally {
      release?.();
    }
  }

  /** Waits for whoever renews the same session. In vain, or without such a lock, all goes on: it only saves work. */
  private async lock(): Promise<Release | null> {
    const { store, env, service } = this.engine;
    try {
      return await (store.lock ? store.lock(LOCK_WAIT) : webLock(env, `daypass:${service}`, LOCK_WAIT));
    } catch {
      return null;
    }
  }

  private async read(): Promise<Kept> {
    return this.take(await this.engine.load());
  }

  /** Takes over what the store holds. Throws if nobody is signed in. */
  private take(stored: Stored): Kept {
    const { engine } = this;
    const { memory } = engine;
    const { version, record } = stored;
    if (engine.transport === "cookie" && !record && memory.known.is === "unknown" && version !== memory.cookieless) {
      // What is not known here the browser's cookie may know.
      const { service, clientId } = engine;
      const unknown = { service, ...(clientId !== undefined && { clientId }), sessionId: "", generation: 0 };
      return { version, record: { ...unknown, attempts: [] } };
    }
    const kept = this.settle(() => memory.reconcile(stored, engine.now(), randomShare(engine.env)));
    if (kept) return kept;
    if (record && record.sessionId === memory.ended) {
      // It was signed out while the store would not let go of it.
      void engine.exchange(version, null).catch(() => undefined);
    }
    throw engine.signedOut();
  }

  /** Makes the id for the coming rotation and writes it down. Unless it is written, no request may leave. */
  private putAttempt({ record, version }: Kept): Promise<Kept> {
    return this.put(version, withId(record, randomId(this.engine.env)));
  }

  /** Writes a record that says more about the same token. If somebody was quicker, what he wrote is taken over. */
  private async put(version: string, record: SessionRecord): Promise<Kept> {
    let stored: Stored;
    try {
      ({ stored } = await this.engine.exchange(version, record));
    } catch (error) {
      this.tries.failed();
      this.settle((memory) => memory.persistFailed());
      throw error;
    }
    return this.take(stored);
  }

  /** One request under the ids of `header`. */
  private async ask(kept: Kept, header: string | undefined): Promise<Step> {
    const { engine } = this;
    if (await this.tries.ready()) {
      // Somebody else may have been luckier. If that cannot be read, a repetition does no harm.
      const stored = await engine.load().catch(() => undefined);
      if (stored && stored.version !== kept.version) return this.take(stored);
    }
    this.settle(() => undefined);
    const asked = engine.now();
    const { record } = kept;
    const request = refreshRequest(engine.service, record.refreshToken, header);
    const answer = await this.tries.ask(request, this.handle.stop.signal);
    switch (answer.is) {
      case "renewed":
        if (this.isSuccessor(record, answer.pair)) return this.keep(kept, answer.pair, asked);
        this.tries.failed();
        return kept;
      case "ended":
        return this.ended(kept, answer.reason);
      case "superseded":
        return this.superseded(kept);
      case "mismatch":
        return this.relabel(kept, answer.generation);
      case "no_cookie":
        return this.cookieless(kept);
      case "denied":
        throw answer.error;
      case "nothing":
        return kept;
    }
  }

  /**
   * Whether tokens are an answer to this renewal: of this session, and none that lead back. A cookie can be behind its
   * ids, and can be another session's if somebody has signed in past this client.
   */
  private isSuccessor(record: SessionRecord, pair: Pair): boolean {
    if (this.engine.transport === "cookie") return true;
    return pair.sessionId === record.sessionId && pair.generation > record.generation;
  }

  /** The service says that the session is over. It may speak of a token that somebody else has rotated since. */
  private async ended(sent: Kept, reason: SignOutReason): Promise<Kept> {
    const stored = await this.engine.load();
    return hasMovedOn(stored, sent.record) ? this.take(stored) : this.remove(stored, reason);
  }

  /**
   * The service has gone on without this client. If nobody who shares the store has either, somebody else holds the
   * session: it is ended for him too before anybody here is signed out.
   */
  private async superseded(sent: Kept): Promise<Kept> {
    const { engine } = this;
    const stored = await engine.load();
    if (hasMovedOn(stored, sent.record)) return this.take(stored);
    const apart = new Tries(engine, engine.memory.backoff.copy());
    await apart.logOut(sent.record.refreshToken, this.handle.stop.signal);
    return this.remove(stored, "reused");
  }

  /** The browser has no cookie, or does not send it. Others who share the store may ask once more themselves. */
  private async cookieless(sent: Kept): Promise<Kept> {
    const stored = await this.engine.load();
    if (hasMovedOn(stored, sent.record)) return this.take(stored);
    const reason = sent.record.sessionId ? "cookie_missing" : "not_signed_in";
    this.settle((memory) => {
      memory.signOut(reason);
      memory.ended = undefined;
      memory.cookieless = stored.version;
    });
    throw this.engine.signedOut();
  }

  /** Removes the record of a session that is over, unless somebody has put another there meanwhile. */
  private async remove(stored: Stored, reason: SignOutReason): Promise<Kept> {
    // A store that keeps a session that is over is cleared later.
    const exchange = await this.engine.exchange(stored.version, null).catch(() => undefined);
    if (exchange?.done === false) return this.take(exchange.stored);
    this.settle((memory) => memory.signOut(reason));
    throw this.engine.signedOut();
  }

  /** The service reads another generation from the token than the record has. */
  private relabel({ record, version }: Kept, stated: number): Promise<Kept> {
    if (stated <= record.generation || ++this.mismatches > MOST_MISMATCHES) {
      this.tries.failed();
      throw protocol("it names a generation that cannot be; if it persists, sign in again");
    }
    return this.put(version, withId({ ...record, generation: stated }, randomId(this.engine.env)));
  }

  /** Writes the tokens of a renewal that was asked for at `asked`. Where they are not wanted any more they are handed back. */
  private async keep(kept: Kept, pair: Pair, asked: Moment): Promise<string> {
    const { engine } = this;
    const record = renewed(kept.record, pair, asked.wall);
    const current = engine.current(record, asked);
    const answered = engine.env.now();
    const give = (memory: Memory, held: Kept) => {
      memory.hold(held, current);
      memory.tell("refreshed", {});
      memory.noteClock(pair.serverTime, asked.wall, answered);
      return current.access.token;
    };
    try {
      return await this.write(kept, record, give);
    } catch (stop) {
      if (stop === OVERTAKEN || stop === CHANGED) this.discard(record);
      throw stop;
    }
  }

  private async write(
    kept: Kept,
    record: SessionRecord,
    give: (memory: Memory, held: Kept) => string,
  ): Promise<string> {
    let { version } = kept;
    let failure: unknown;
    for (let i = 0; i < MOST_EXCHANGES && failure === undefined; i++) {
      try {
        const { done, stored } = await this.engine.exchange(version, record);
        // The store has it: now everybody may.
        if (done) {
          return this.settle((memory) => {
            memory.persisted();
            return give(memory, { record, version: stored.version });
          });
        }
        const theirs = stored.record;
        if (!theirs || !isSameOrUnknown(theirs, record)) {
          this.take(stored);
          throw CHANGED;
        }
        if (theirs.generation >= record.generation && theirs.sessionId) {
          // Somebody who shares the store has renewed at the same time, or gone on since: his tokens serve everybody,
          // and if there are none that serve, the one that came here does.
          const held = this.take(stored);
          return this.served() ?? this.settle((memory) => give(memory, held));
        }
        ({ version } = stored);
      } catch (error) {
        if (!(error instanceof SessionError) || error.code !== "store") throw error;
        failure = error;
      }
    }
    // The access token serves all the same; the refresh token is not sent before it is written, and until then renewals
    // repeat the rotation that is.
    return this.settle((memory) => {
      memory.persistFailed();
      return give(memory, { record: kept.record, version, unwritten: record });
    });
  }

  /** Tries again to write what the store would not take, so that it may be sent. */
  private async writeWhatWasNot(kept: Kept): Promise<Kept> {
    if (!kept.unwritten) return kept;
    try {
      return this.take((await this.engine.exchange(kept.version, kept.unwritten)).stored);
    } catch (error) {
      if (error instanceof SessionError && error.code === "store") return kept;
      throw error;
    }
  }

  /** Hands back tokens that came too late, unless whoever is signed in now is of the same session. */
  private discard(record: SessionRecord): void {
    const { kept } = this.engine.memory;
    if (record.refreshToken === undefined || (kept && sameSession(newest(kept), record))) return;
    logOutBehind(this.engine, record.refreshToken);
  }

  /** The token at hand, if it is as good as what this renewal is for. */
  private served(): string | undefined {
    const { engine, purpose } = this;
    const now = engine.now();
    this.settle(() => undefined);
    const token = engine.memory.current?.access.token;
    if (token === undefined || token === purpose.rejected) return undefined;
    const what = engine.wished(purpose, now);
    return what === "fresh" || (what === "behind" && !purpose.ahead) ? token : undefined;
  }

  /** Changes what is known, unless somebody has signed in or out meanwhile. Others are told when no lock is held. */
  private settle<T>(change: (memory: Memory) => T): T {
    const { engine } = this;
    if (engine.memory.flight !== this.handle) throw OVERTAKEN;
    return engine.settle(change, true);
  }
}

/** Whether the store holds something else by now than the token that was sent. An id or an access token does not count. */
function hasMovedOn({ record }: Stored, sent: SessionRecord): boolean {
  if (!record) return sent.sessionId !== "";
  return (
    !sameSession(record, sent) ||
    record.generation > sent.generation ||
    record.refreshToken !== sent.refreshToken
  );
}

/** Whether a record is of this session, or may be as far as anybody knows. */
function isSameOrUnknown(theirs: SessionRecord, record: SessionRecord): boolean {
  return theirs.sessionId === "" || sameSession(theirs, record);
}
