/** Follows the feed in the background, by polls or by the stream. */
import { inTime, shown } from "../requests.js";
import type { Surroundings } from "../surroundings.js";
import { FeedError, type FeedFault } from "./fault.js";
import type { Followed } from "./followed.js";
import { isCursor, type Page, readEntryText } from "./page.js";
import type { Schedule } from "./schedule.js";
import { BadStream, EventParser, type StreamItem } from "./sse.js";
import { NoStream, type Wire } from "./wire.js";

/** The most pages that one poll reads. */
const MOST_PAGES = 2000;
/** A stream that brings nothing for so long is dead: heartbeats come every 5 s. */
const SILENCE = 12_000;
/** One that says nothing for so long from its start on is kept back by something on the way. */
const FIRST_WORD = 5_000;
/** How long a service without a stream is polled before the stream is tried again. */
const STREAM_AGAIN = 300_000;
/** The same after a stream could not be had for another reason; four times as long after each further time. */
const FIRST_PAUSE = 5_000;

/** Reads the feed until it is stopped. */
export class Follower {
  readonly #around: Surroundings;
  readonly #feed: URL;
  readonly #wire: Wire;
  readonly #followed: Followed;
  readonly #schedule: Schedule;
  readonly #wantsStream: boolean;
  readonly #stop = new AbortController();
  #streamNotBefore = -Infinity;
  /** Whether the stream has told everything. */
  #caughtUp = false;
  /** How often in a row a stream could not be had. */
  #vainStreams = 0;
  #cancelTimer: () => void = () => undefined;
  #loggedFault: FeedFault | undefined;
  #loggedStale = false;

  constructor(
    around: Surroundings,
    feed: URL,
    wire: Wire,
    followed: Followed,
    schedule: Schedule,
    mode: "stream" | "poll",
  ) {
    this.#around = around;
    this.#feed = feed;
    this.#wire = wire;
    this.#followed = followed;
    this.#schedule = schedule;
    this.#wantsStream = mode === "stream";
  }

  /** Begins. Each reading calls the next by a timer, which keeps no process alive. */
  start(): void {
    void this.#turn();
  }

  stop(): void {
    this.#stop.abort();
    this.#cancelTimer();
  }

  async #turn(): Promise<void> {
    const { clock, random } = this.#around;
    this.#followed.forget();
    let wait: number;
    try {
      const streams = this.#wantsStream && clock.running() >= this.#streamNotBefore;
      if (streams) await this.#readStream();
      else await this.#poll();
      wait = this.#schedule.succeeded(random());
      // A restarted service has all its followers back: not at once, but within a second.
      if (streams && this.#followed.mode === "stream") wait = this.#schedule.failed(undefined, random());
      this.#log(undefined);
    } catch (thrown) {
      if (this.#stop.signal.aborted) return;
      const error = FeedError.of(thrown);
      this.#followed.failed(error.fault);
      wait = this.#schedule.failed(error.retryAfterMs, random());
      this.#log(error);
    }
    if (this.#stop.signal.aborted) return;
    this.#followed.nextIn(wait);
    this.#cancelTimer = clock.after(wait, () => void this.#turn());
  }

  /** Reads page after page until nothing follows. What is known then is as old as the last request. */
  async #poll(): Promise<void> {
    this.#followed.mode = "poll";
    for (let pages = 0; pages < MOST_PAGES; pages++) {
      const began = this.#around.clock.running();
      const cursor = this.#followed.cursor;
      const page = await this.#wire.page(cursor, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      this.#followed.apply(page);
      if (page.complete) return this.#followed.read(began);
      if (!page.reset && page.cursor === cursor) break;
    }
    throw new FeedError("endless");
  }

  /** Reads events until the stream ends, which is a failure only if it ends before it has told everything. */
  async #readStream(): Promise<void> {
    const began = this.#around.clock.running();
    const turn = new AbortController();
    this.#caughtUp = false;
    const stopped = () => turn.abort();
    this.#stop.signal.addEventListener("abort", stopped, { once: true });
    if (this.#stop.signal.aborted) stopped();
    try {
      const reader = await this.#wire.stream(this.#followed.cursor, turn.signal);
      this.#followed.mode = "stream";
      await this.#readEvents(reader, began);
    } catch (error) {
      if (this.#stop.signal.aborted || this.#caughtUp) throw error;
      const pause = error instanceof NoStream ? STREAM_AGAIN : FIRST_PAUSE * 4 ** this.#vainStreams++;
      this.#streamNotBefore = this.#around.clock.running() + Math.min(pause, STREAM_AGAIN);
      if (!(error instanceof NoStream)) this.#followed.failed(FeedError.of(error).fault);
      await this.#poll();
    } finally {
      this.#stop.signal.removeEventListener("abort", stopped);
      turn.abort();
      this.#followed.interrupted();
    }
  }

  async #readEvents(reader: ReadableStreamDefaultReader<Uint8Array>, began: number): Promise<void> {
    const parser = new EventParser();
    const { clock } = this.#around;
    try {
      for (;;) {
        const piece = await inTime(this.#around, this.#caughtUp ? SILENCE : FIRST_WORD, this.#stop.signal, () =>
          reader.read(),
        );
        if (piece.done) break;
        let changed = false;
        for (const item of parser.push(piece.value)) {
          const page = pageOf(item);
          if (page === undefined) continue;
          this.#followed.apply(page);
          this.#caughtUp = !page.reset && (this.#caughtUp || page.complete);
          changed = true;
        }
        if (this.#caughtUp) {
          this.#vainStreams = 0;
          this.#followed.read(clock.running(), changed);
          this.#log(undefined);
        }
        this.#followed.forget();
      }
    } catch (error) {
      throw error instanceof BadStream ? new FeedError(error.fault) : error;
    } finally {
      reader.cancel().catch(() => undefined);
    }
    // A service that is restarted ends its streams: one that had told everything was not in vain.
    if (!this.#caughtUp || clock.running() - began < 1000) throw new FeedError("unreachable");
  }

  #log(error: FeedError | undefined): void {
    const log = this.#around.log;
    const where = shown(this.#feed);
    const stale = this.#followed.isStale;
    if (error === undefined && this.#loggedFault !== undefined)
      log?.info(`the revocation feed ${where} can be read again`);
    if (error !== undefined && error.fault !== this.#loggedFault) {
      const status = error.status === undefined ? "" : ` (${error.status})`;
      log?.warn(`the revocation feed ${where} cannot be read: ${error.fault}${status}`);
    }
    if (error !== undefined && stale && !this.#loggedStale) {
      log?.warn(
        `what is known of ended sessions is too old: tokens ${this.#followed.refusing ? "are refused" : "pass"}`,
      );
    }
    this.#loggedFault = error?.fault;
    this.#loggedStale = stale;
  }
}

/** What an event says, as a stretch of the feed; `undefined` for a sign of life. */
function pageOf(item: StreamItem): Page | undefined {
  if (item.kind === "comment") return undefined;
  const cursor = isCursor(item.id) ? item.id : undefined;
  switch (item.name) {
    case "reset":
      return { cursor, complete: false, reset: true, entries: [] };
    case "ready":
      return { cursor, complete: true, reset: false, entries: [] };
    case "entry": {
      const entry = readEntryText(item.data);
      if (entry === undefined) throw new FeedError("malformed");
      return { cursor, complete: false, reset: false, entries: [entry] };
    }
    default:
      // As an entry of an unknown kind: to pass over it might be to accept a token that it ends.
      throw new FeedError("malformed");
  }
}
