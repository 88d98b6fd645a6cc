// What tests and pages tell each other.

import type { Fast } from "./fast.js";

/** How a page makes its session. */
export interface Opened {
  baseUrl: string;
  transport: "cookie" | "token";
  /** For the token transport. */
  store?: "memory" | "localStorage" | "indexedDB";
  allowedOrigins: string[];
  refresh?: "on-demand" | "eager";
  loginUrl?: string;
  /** Its time passes faster. */
  fast?: Fast;
}

/** What became of something that a page was asked to do. */
export interface Made {
  status?: number;
  body?: string;
  token?: string;
  /** Why a call that was refused was not made again. */
  marked?: string;
  /** The code of the error, or its name if it has none. */
  error?: string;
  message?: string;
  /** How long it took, in milliseconds. */
  took: number;
}

/** What a page knows of its session. */
export interface Told {
  state: "unknown" | "signed-out" | "active" | "stale" | "unreachable";
  /** The events so far. */
  events: string[];
  /** The states so far. */
  states: string[];
}

/** What a page offers to tests. */
export interface App {
  open(opened: Opened): void;
  signIn(username: string, password: string): Promise<Made>;
  call(url: string, init: { method?: string; body?: string; stream?: boolean }): Promise<Made>;
  token(options: { minValidity?: number; rejected?: string; signal?: AbortSignal }): Promise<Made>;
  signOut(everywhere: boolean): Promise<Made>;
  told(): Told;
  /** Runs this on each event, as a page's own code would. */
  onEvent(run: (name: string) => unknown): void;
  /** Holds back what is written to the store of this generation and later ones. For sessions with a named store. */
  holdStore(generation: number): void;
  /** Whether a write is held back. */
  storeHolds(): boolean;
  releaseStore(): void;
}

declare global {
  // Set by the pages.
  var app: App;
  /** When the page that is measured had come how far, in milliseconds since navigation began. */
  var times: Record<string, number> | undefined;
  /** Sets by how much both of the page's clocks are ahead, and by how much more the wall clock, in milliseconds. */
  var putForward: (both: number, wall: number) => void;
}
