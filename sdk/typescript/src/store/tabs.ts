// What the tabs of a browser share beside the cookie that none of them sees: the attempt ids in a store, and the access
// token, which is written nowhere, by messages.

import type { Environment } from "../environment.js";
import type { Access, SessionRecord } from "../record.js";
import { Announcer } from "./announce.js";
import { memoryStore, type Stored, type TokenStore } from "./store.js";

/** How long to wait for the access token of a tab that has just renewed, in milliseconds. */
const NEIGHBOURS_WAIT = 500;

/** One tab tells the others what it wrote, or asks what they have. */
type Message = { readonly record: SessionRecord | null } | "need";

/** Wraps the store of the ids; without one, or one that cannot be read, no ids are sent. */
export function tabStore(env: Environment, service: string, idStore: TokenStore | null): TokenStore {
  const announcer = new Announcer(env, `daypass:${service}`);
  let inner = idStore ?? memoryStore();
  let ids = idStore !== null;
  let first = true;
  /** The newest record with an access token that this tab has or has heard of. */
  let heard: SessionRecord | undefined;
  /** The generation that the store had when it was last looked at. */
  let seen: number | undefined;
  let hearing = () => undefined as void;

  const accessOf = ({ sessionId, generation }: SessionRecord): Access | undefined =>
    heard?.sessionId === sessionId && heard.generation === generation ? heard.access : undefined;

  const whole = (stored: Stored): Stored => {
    const access = stored.record && accessOf(stored.record);
    return access ? { ...stored, record: { ...(stored.record as SessionRecord), access } } : stored;
  };

  const read = async (): Promise<Stored> => {
    try {
      return await inner.load();
    } catch (error) {
      // Ids that were sent once must not be forgotten: later the error stands.
      if (!first) throw error;
      inner = memoryStore();
      ids = false;
      return inner.load();
    }
  };

  const neighbours = () =>
    new Promise<void>((resolve) => {
      const timer = env.setTimeout(resolve, NEIGHBOURS_WAIT);
      hearing = () => {
        env.clearTimeout(timer);
        resolve();
      };
    });

  const adopt = async (record: SessionRecord | null) => {
    const { version, record: mine } = await inner.load();
    if (!record || !mine || mine.sessionId !== record.sessionId || mine.generation < record.generation) {
      await inner.compareExchange(version, record && { ...record, attempts: [] });
    }
  };

  const hear = async (message: Message) => {
    if (message === "need") {
      if (heard) announcer.post({ record: heard });
      return;
    }
    const { record } = message;
    if (record?.access) heard = record;
    // Without a store this is all that a tab knows of the others.
    if (!ids) await adopt(record);
    hearing();
  };

  return {
    get ids() {
      return ids;
    },
    load: async () => {
      const stored = await read();
      const { record } = stored;
      if (first) announcer.post("need");
      else if (record && seen !== undefined && record.generation > seen && !accessOf(record)) {
        // Another tab has just renewed: its token serves here, too.
        announcer.post("need");
        await neighbours();
      }
      first = false;
      seen = record?.generation;
      return whole(stored);
    },
    compareExchange: async (version, record) => {
      const { access, ...written } = record ?? ({} as SessionRecord);
      const exchange = await inner.compareExchange(version, record && written);
      if (!exchange.done) return { done: false, stored: whole(exchange.stored) };
      if (access && record) heard = record;
      seen = record?.generation;
      announcer.post({ record: record && { ...record, attempts: [] } });
      return { done: true, stored: { version: exchange.stored.version, record } };
    },
    subscribe: (listener) => announcer.listen((message) => void hear(message as Message).then(listener)),
  };
}
