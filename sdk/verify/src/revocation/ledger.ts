/** Stretches of the feed put together: what has ended now, where to read on, and what may be forgotten. */
import type { Facts } from "./facts.js";
import { FeedError } from "./fault.js";
import type { Ended, Entry, Page } from "./page.js";

/** The most ended sessions and subjects that are held. */
const MOST_ENTRIES = 1_000_000;

/** Two readings of the clock, in milliseconds. */
export interface Now {
  readonly wall: number;
  readonly running: number;
}

/** Everything that was read, and the cursor. */
export class Ledger {
  #current = new EndedSet();
  /**
   * The snapshot that is being read. Its entries are in `current` too: they are in force at once, and what was known
   * before stays in force until the snapshot is complete.
   */
  #next: EndedSet | undefined;
  #cursor: string | undefined;

  /** Where to read on; `undefined` to begin at the start. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  get size(): number {
    return this.#current.size;
  }

  /** Whether a token's session has ended: by itself, or with all sessions of its subject so far. */
  hasEnded(sub: string, facts: Facts): boolean {
    return this.#current.has(sub, facts);
  }

  /** Takes a stretch. The cursor moves together with its entries: what is cut off half-way is read again. */
  apply(page: Page, now: Now): void {
    const begins = page.reset || this.#cursor === undefined;
    if (begins && (page.reset || this.#next === undefined)) this.#next = new EndedSet();
    try {
      for (const entry of page.entries) this.#take(entry, now);
    } catch (error) {
      // A snapshot without its first stretch is none, and the cursor leads to no other stretch of it.
      if (begins) this.#next = undefined;
      throw error;
    }
    if (page.reset) this.#cursor = undefined;
    this.#cursor = page.cursor ?? this.#cursor;
    if (page.complete && this.#next !== undefined) {
      this.#current = this.#next;
      this.#next = undefined;
    }
  }

  /** A reading without a cursor to go on from was cut off: the next one begins at the start. */
  interrupted(): void {
    if (this.#cursor === undefined) this.#next = undefined;
  }

  /** Forgets the entries whose time is over. */
  forget(now: Now): void {
    this.#current.forget(now);
    this.#next?.forget(now);
  }

  #take(entry: Entry, now: Now): void {
    this.#current.insert(entry, now, this.#next === undefined ? MOST_ENTRIES : 2 * MOST_ENTRIES);
    this.#next?.insert(entry, now, MOST_ENTRIES);
  }
}

/** How long an entry is kept: until both times have come. */
interface Keep {
  /** For a subject: sessions that started before this are over, in Unix milliseconds. */
  notBeforeMs: number;
  /** In Unix seconds: from then on the entry says nothing any more. */
  until: number;
  /** In seconds of the running clock: the entry's life, counted from when it was read. */
  due: number;
}

/** What has ended. */
class EndedSet {
  readonly #sessions = new Map<string, Keep>();
  readonly #subjects = new Map<string, Keep>();
  /** What to look at, by the second of the running clock. */
  readonly #due = new Map<number, Ended[]>();
  #looked: number | undefined;

  get size(): number {
    return this.#sessions.size + this.#subjects.size;
  }

  has(sub: string, facts: Facts): boolean {
    if (facts.sid !== undefined && this.#sessions.has(facts.sid)) return true;
    const cutoff = this.#subjects.get(sub);
    return cutoff !== undefined && facts.startedMs < cutoff.notBeforeMs;
  }

  /** Takes an entry. None weakens another, in whatever order they come. */
  insert({ ended, atMs, until }: Entry, now: Now, most: number): void {
    const kept = this.#keep(ended);
    const notBeforeMs = ended.kind === "subject" ? ended.notBeforeMs : 0;
    if (kept !== undefined && kept.until >= until && kept.notBeforeMs >= notBeforeMs) return;
    if (kept === undefined && this.size >= most) throw new FeedError("too_many_entries");
    // The life that the service gave the entry, rounded up, from now on: a wrong time of day cannot shorten it.
    const life = Math.max(0, until - Math.floor(atMs / 1000));
    const second = Math.floor(now.running / 1000);
    const due = Math.max(second + 1 + life, kept?.due ?? 0);
    this.#looked ??= second;
    const keep = {
      notBeforeMs: Math.max(notBeforeMs, kept?.notBeforeMs ?? 0),
      until: Math.max(until, kept?.until ?? 0),
      due,
    };
    if (ended.kind === "session") this.#sessions.set(ended.sid, keep);
    else this.#subjects.set(ended.sub, keep);
    this.#lookAt(due, ended);
  }

  forget(now: Now): void {
    const wall = Math.floor(now.wall / 1000);
    const running = Math.floor(now.running / 1000);
    if (this.#looked === undefined) return;
    for (let second = this.#looked; second <= running; second++) {
      const looked = this.#due.get(second) ?? [];
      this.#due.delete(second);
      for (const ended of looked) {
        const keep = this.#keep(ended);
        if (keep === undefined || keep.due > running) continue;
        if (keep.until > wall) this.#lookAt(running + (keep.until - wall), ended);
        else if (ended.kind === "session") this.#sessions.delete(ended.sid);
        else this.#subjects.delete(ended.sub);
      }
    }
    this.#looked = running;
  }

  #keep(ended: Ended): Keep | undefined {
    return ended.kind === "session" ? this.#sessions.get(ended.sid) : this.#subjects.get(ended.sub);
  }

  #lookAt(second: number, ended: Ended): void {
    const list = this.#due.get(second);
    if (list === undefined) this.#due.set(second, [ended]);
    else list.push(ended);
  }
}
