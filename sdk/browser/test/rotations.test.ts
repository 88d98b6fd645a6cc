// 200 rotations across ten tabs that are closed and killed at random, on a network that loses answers: nobody is signed
// out, and no theft is seen. The seed decides what happens; it is printed, and DAYPASS_SEED sets it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Dice } from "../src/harness/dice.js";
import type { Profile, Tab } from "../src/harness/profile.js";
import {
  cutAnswer,
  type Fault,
  holdAnswer,
  holdRequest,
  instead,
  loseAnswer,
  loseRequest,
  REFRESH,
} from "../src/harness/proxy.js";
import { COOKIE, INDEXED, type Way } from "../src/harness/transports.js";
import { Gate } from "../src/harness/until.js";
import { World } from "../src/harness/world.js";

const LONG = process.env["DAYPASS_LONG"] !== undefined;
const SEED = Number(process.env["DAYPASS_SEED"] ?? (LONG ? Date.now() % 1_000_000 : 1));
const TABS = 10;

let world: World;
before(async () => (world = await World.open()));
after(() => world.close());

/** What befalls the next refresh, now and then. */
const FAULTS: readonly Fault[] = [loseAnswer, loseRequest, cutAnswer, instead(503, { cors: true }), instead(502)];

/** How tabs ended. */
interface Ends {
  closed: number;
  killed: number;
}

/** Ends a tab as people do, or as the kernel does. */
async function end(tab: Tab, dice: Dice, ends: Ends): Promise<void> {
  if (!dice.chance(500)) ends.closed++;
  else {
    ends.killed++;
    const crashed = new Promise((resolve) => tab.page.once("crash", resolve));
    const session = await tab.page.context().newCDPSession(tab.page);
    void session.send("Page.crash").catch(() => undefined);
    await crashed;
  }
  await tab.close();
}

/** One rotation or more: several tabs call at once, and something may go wrong. */
async function round(profile: Profile, tabs: Tab[], dice: Dice, way: Way, ends: Ends): Promise<void> {
  await profile.expire();
  const callers = tabs.filter(() => dice.chance(300));
  if (callers.length === 0) callers.push(dice.pick(tabs));
  const fault = dice.below(100);
  let victim: Tab | undefined;
  if (fault < 10) world.proxy.next(REFRESH, dice.pick(FAULTS));
  const gate = new Gate();
  if (fault >= 90) {
    victim = dice.pick(callers);
    world.proxy.next(REFRESH, dice.chance(500) ? holdAnswer(gate) : holdRequest(gate));
  }
  const calls = callers.map(async (tab) => ({
    tab,
    made: await tab.call().catch((error: Error) => ({ status: undefined, error: `lost: ${error.message}` })),
  }));
  if (victim) {
    await gate.arrived("a refresh is held");
    await end(victim, dice, ends);
    gate.open();
  }
  for (const { tab, made } of await Promise.all(calls)) {
    if (tab !== victim) assert.equal(made.status ?? made.error, 200);
  }
  if (victim) tabs[tabs.indexOf(victim)] = await profile.open(way.session);
}

for (const [way, rotations] of [
  [COOKIE, LONG ? 2000 : 200],
  [INDEXED, LONG ? 2000 : 50],
] as const) {
  test(`${rotations} rotations across ${TABS} tabs with random kills (${way.name})`, async (t) => {
    t.diagnostic(`seed ${SEED}`);
    const dice = new Dice(SEED);
    const profile = await world.profile();
    const first = await profile.open(way.session);
    await first.signIn();
    const tabs = [first, ...(await profile.openAll(TABS - 1, way.session))];
    const count = await world.count();
    const ends: Ends = { closed: 0, killed: 0 };
    for (let rounds = 0; ; rounds++) {
      const { rotated = 0, repeated: _, mismatch: __, ...refused } = await count.outcomes();
      assert.deepEqual(refused, {}, "refused");
      if (rotated >= rotations) break;
      // A round in which the tab was ended before its request got anywhere makes none.
      assert.ok(rounds < 2 * rotations, `${rotated} rotations in ${rounds} rounds`);
      await round(profile, tabs, dice, way, ends);
    }
    t.diagnostic(JSON.stringify({ ...(await count.outcomes()), ...ends }));
    assert.ok(ends.closed + ends.killed > 0, "tabs were ended");
    if (rotations >= 200) assert.ok(ends.closed > 0 && ends.killed > 0, "closed and killed");
    for (const tab of tabs) {
      assert.ok(!(await tab.told()).events.includes("signedout"));
      assert.equal((await tab.call()).status, 200);
    }
    assert.equal((await world.service.figures()).reuse, 0);
    await profile.close();
  });
}
