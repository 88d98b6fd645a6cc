// The ways in which a page can keep its session.

import type { Opened } from "../protocol.js";

/** A way, and how it is called. */
export interface Way {
  name: string;
  session: Pick<Opened, "transport" | "store">;
}

/** The default: the refresh token in a cookie that no script sees. */
export const COOKIE: Way = { name: "cookie", session: { transport: "cookie" } };
/** The refresh token in IndexedDB. */
export const INDEXED: Way = { name: "token in IndexedDB", session: { transport: "token", store: "indexedDB" } };
/** The refresh token in localStorage. */
export const LOCAL: Way = { name: "token in localStorage", session: { transport: "token", store: "localStorage" } };
/** The refresh token in the page's memory. */
export const MEMORY: Way = { name: "token in memory", session: { transport: "token", store: "memory" } };

/** Those that outlive a page and are shared by its tabs. */
export const SHARED: readonly Way[] = [COOKIE, INDEXED, LOCAL];
