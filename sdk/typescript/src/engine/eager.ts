// Renewing while nobody calls, for those who asked for it, and only while somebody can see the page.

import type { Engine } from "./engine.js";

/** How soon to look again where a renewal failed, or cannot be begun, in milliseconds. */
const AGAIN = 15_000;

/** Keeps one timer, while there is a session and the page can be seen. */
export function startEager(engine: Engine): void {
  const { env, memory } = engine;
  let timer: unknown;
  const schedule = (after?: number) => {
    env.clearTimeout(timer);
    timer = undefined;
    if (!env.visible() || !memory.kept || memory.flight) return;
    // What is due and not begun cannot be begun yet.
    timer = env.setTimeout(run, after ?? (memory.dueIn(engine.now()) || AGAIN));
    // In Node a timer would keep the process from ending.
    (timer as { unref?(): void } | undefined)?.unref?.();
  };
  const run = () => {
    if (!env.visible()) return schedule();
    const flight = engine.renewAhead();
    if (!flight) return schedule();
    void flight.ended.then((end) => schedule(typeof end === "object" && "error" in end ? AGAIN : undefined));
  };
  engine.onClose(engine.subscribe(() => schedule()));
  engine.onClose(engine.on("refreshed", () => schedule()));
  engine.onClose(env.lifecycle((what) => (what === "hidden" ? schedule() : run())));
  engine.onClose(() => env.clearTimeout(timer));
}
