// Renewing while nobody calls, for those who asked for it, and only while somebody can see the page.

import { dueIn } from "../policy.js";
import { type Engine, listen, now } from "./engine.js";
import { renewAhead } from "./renewal.js";

/** How soon to look again where a renewal failed, or cannot be begun, in milliseconds. */
const AGAIN = 15_000;

/** Keeps one timer, while there is a session and the page can be seen. */
export function startEager(engine: Engine): void {
  const { env } = engine;
  let timer: unknown;
  const schedule = (after = 0) => {
    env.clearTimeout(timer);
    const { record, current, flight } = engine;
    if (!env.visible() || !record?.session_id || flight) return;
    // What is due and not begun cannot be begun yet.
    timer = env.setTimeout(run, after || (current && dueIn(current, now(engine))) || AGAIN);
    // In Node a timer would keep the process from ending.
    (timer as { unref?(): void }).unref?.();
  };
  const run = () => {
    const flight = env.visible() && renewAhead(engine);
    if (!flight) return schedule();
    flight.done.then(
      () => schedule(),
      () => schedule(AGAIN),
    );
  };
  engine.closing.push(
    listen(engine, "state", () => schedule()),
    env.lifecycle(run),
    () => env.clearTimeout(timer),
  );
}
