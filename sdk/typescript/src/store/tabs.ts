// What the tabs of a browser share beside the cookie that none of them sees: the attempt ids in a store, and the access
// token, which is written nowhere, by messages.

import { type Environment, within } from "../environment.js";
import type { SessionRecord } from "../record.js";
import { announcer } from "./announce.js";
import { memoryStore, type Stored, type TokenStore } from "./store.js";

/** How long to wait for the access token of a tab that has just renewed, in milliseconds. */
const NEIGHBOURS_WAIT = 500;

/** One tab tells the others what it wrote, or asks what they have. */
type Message = { readonly record: SessionRecord | null } | "need";

/** Wraps the store of the ids; without one, or one that cannot be read, no ids are sent. */
export function tabStore(env: Environment, service: string, idStore: TokenStore | null): TokenStore {
  const { post, listen } = announcer(env, service);
  const noStore = memoryStore();
  let inner = idStore ?? noStore;
  let isFirst = true;
  /** The newest record with an access token that this tab has or has heard of. */
  let heard: SessionRecord | undefined;
  /** The generation that the store had when it was last looked at. */
  let seen = 0;
  /** What somebody waits to hear the token of. */
  let wanted: SessionRecord | null;
  let waiting: Promise<void> | undefined;
  let hearing: (() => unknown) | undefined;

  /** By how many generations what was heard is ahead of a record; behind another session's, and behind none. */
  const ahead = (record: SessionRecord | null): number =>
    record && heard?.session_id === record.session_id ? heard.generation - record.generation : -1;

  const whole = (stored: Stored): Stored => {
    // None is ahead of no record.
    const record = stored.record as SessionRecord;
    return ahead(record) === 0 ? { ...stored, record: { ...record, ...heard, attempts: record.attempts } } : stored;
  };

  return {
    get ids() {
      return inner !== noStore;
    },
    load: async () => {
      const stored = await inner.load().catch((error) => {
        // Ids that may have been sent must not be forgotten: an error that passes stands, and so does any later one. Where there
        // is no IndexedDB, or looking at it is forbidden, there are none.
        if (!isFirst || !/^(Type|Security|InvalidState)Error|denied permission/.test(error)) throw error;
        inner = noStore;
        return inner.load();
      });
      const { record } = stored;
      const generation = record?.generation ?? 0;
      if (isFirst) post("need" satisfies Message);
      // Another tab has just renewed: its token serves here, too.
      else if (generation > seen && ahead(record) < 0) {
        wanted = record;
        waiting ??= within<void>(env, NEIGHBOURS_WAIT, (end) => {
          hearing = () => ahead(wanted) >= 0 && end();
          post("need" satisfies Message);
        });
        await waiting;
        waiting = undefined;
      }
      isFirst = false;
      seen = generation;
      return whole(stored);
    },
    compareExchange: async (version, record) => {
      const { done, stored } = await inner.compareExchange(version, record && written(record));
      if (done) {
        if (record?.access_token) heard = record;
        seen = record?.generation ?? 0;
        post({ record: record && { ...record, attempts: [] } } satisfies Message);
      }
      return { done, stored: whole(stored) };
    },
    subscribe: (listener) =>
      listen((data) => {
        // A text has no record.
        const { record } = data as { readonly record?: SessionRecord | null };
        if (record !== undefined) {
          // Those who have slept tell of older ones.
          if (record?.access_token && ahead(record) <= 0) heard = record;
          hearing?.();
          listener();
        } else if (heard) post({ record: heard } satisfies Message);
      }),
  };
}

/** What is written down: nothing that is of use to anybody without the cookie. */
function written({ access_token, ...record }: SessionRecord): SessionRecord {
  return record;
}
