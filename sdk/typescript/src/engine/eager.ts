// Renewing while nobody calls, for those who asked for it, and only while somebody can see the page.

import type { Engine } from "./engine.js";
import { renewAhead } from "./renewal.js";

/** How often to look whether a renewal is due, in milliseconds. */
const OFTEN = 5000;

/** Keeps one timer, while the page can be seen. */
export function startEager(engine: Engine): void {
  const { env, closing } = engine;
  let timer: unknown;
  const look = () => {
    env.clearTimeout(timer);
    if (!env.visible()) return;
    renewAhead(engine);
    timer = env.setTimeout(look, OFTEN);
    // In Node a timer would keep the process from ending.
    (timer as { unref?(): void }).unref?.();
  };
  closing.push(env.lifecycle(look), () => env.clearTimeout(timer));
  look();
}
