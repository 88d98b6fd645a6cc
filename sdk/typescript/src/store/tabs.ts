// What the tabs of a browser share beside the cookie that none of them sees: the attempt ids in a store, and the access
// token, which is written nowhere, by messages.

import { type Environment, within } from "../environment.js";
import { type SessionRecord, sameSession } from "../record.js";
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
  let hearing: (() => unknown) | undefined;

  const whole = (stored: Stored): Stored => {
    const { record } = stored;
    const serves = record && heard && sameSession(heard, record) && heard.generation === record.generation;
    return serves ? { ...stored, record: { ...record, ...heard, attempts: record.attempts } } : stored;
  };

  return {
    get ids() {
      return inner !== noStore;
    },
    load: async () => {
      const stored = await inner.load().catch((error) => {
        // Ids that may have been sent must not be forgotten: an error that passes stands, and so does any later one. Where there
        // is no IndexedDB, or looking at it is forbidden, there are none.
        if (!isFirst || !/^(Type|Security|InvalidState)Error|denied permission/.test(String(error))) throw error;
        inner = noStore;
        return inner.load();
      });
      const generation = stored.record?.generation ?? 0;
      if (isFirst) post("need" satisfies Message);
      // Another tab has just renewed: its token serves here, too.
      else if (generation > seen && whole(stored) === stored) {
        await within<void>(env, NEIGHBOURS_WAIT, (end) => {
          // Those who have slept tell of older ones.
          hearing = () => whole(stored) !== stored && end();
          post("need" satisfies Message);
        });
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
        const message = data as Message;
        if (message !== "need") {
          if (message.record?.access_token) heard = message.record;
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
