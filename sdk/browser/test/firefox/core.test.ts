// The core of the scenarios in Firefox: one page, many tabs, tabs without locks, and a tab closed in mid-refresh.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Firefox } from "../../src/harness/firefox.js";
import { Profile, type Tab } from "../../src/harness/profile.js";
import { holdAnswer, loseAnswer, REFRESH } from "../../src/harness/proxy.js";
import { COOKIE, INDEXED, SHARED, type Way } from "../../src/harness/transports.js";
import { Gate } from "../../src/harness/until.js";
import { type Count, World } from "../../src/harness/world.js";

let world: World;
let browsers = 0;
before(async () => (world = await World.open()));
after(() => world.close());

async function open(spoil?: () => void): Promise<Profile> {
  world.reset();
  browsers += 1;
  const firefox = await Firefox.start(world.folder(`firefox${browsers}`), spoil);
  return new Profile(world, firefox.profile);
}

/** So many tabs of one session, each with a token, and what happens from then on. */
async function tabsOf(profile: Profile, way: Way, number: number): Promise<{ tabs: Tab[]; count: Count }> {
  const first = await profile.open(way.session);
  await first.signIn();
  const tabs = [first];
  while (tabs.length < number) tabs.push(await profile.open(way.session));
  for (const tab of tabs) assert.ok((await tab.token()).token);
  return { tabs, count: await world.count() };
}

async function allCall(tabs: Tab[]): Promise<void> {
  const made = await Promise.all(tabs.map((tab) => tab.call()));
  assert.deepEqual(
    made.map(({ status, error }) => status ?? error),
    tabs.map(() => 200),
  );
}

test("scenarios 1, 2, 9, 12 and 16", async () => {
  const profile = await open();
  for (const way of SHARED) {
    const { tabs, count } = await tabsOf(profile, way, 10);
    const [tab, ...others] = tabs as [Tab, ...Tab[]];
    assert.equal(await tab.run(() => document.visibilityState, undefined), "hidden");

    await profile.expire();
    await allCall(tabs);
    assert.deepEqual(await count.outcomes(), { rotated: 1 }, `9: ten tabs, one rotation (${way.name})`);

    await profile.expire();
    const calls = await tab.calls(100);
    assert.ok(calls.every(({ status }) => status === 200));
    assert.deepEqual(await count.outcomes(), { rotated: 2 }, `1: a hundred calls, one refresh (${way.name})`);

    await profile.age();
    world.api.refuse((await tab.token()).token ?? "");
    assert.ok((await tab.calls(100)).every(({ status }) => status === 200));
    assert.deepEqual(await count.outcomes(), { rotated: 3 }, `2: a hundred 401s, one refresh (${way.name})`);

    await profile.expire();
    world.proxy.next(REFRESH, loseAnswer);
    assert.equal((await tab.call()).status, 200);
    assert.deepEqual(await count.outcomes(), { rotated: 4, repeated: 1 }, `16: the same successor (${way.name})`);

    await profile.expire();
    const gate = new Gate();
    world.proxy.next(REFRESH, holdAnswer(gate));
    const call = tab.call().catch(() => undefined);
    await gate.arrived();
    await tab.close();
    await call;
    gate.open();
    await allCall(others);
    const { rotated: _, repeated: __, mismatch: ___, ...refused } = await count.outcomes();
    assert.deepEqual(refused, {}, `12: a tab closed in mid-refresh (${way.name})`);
    for (const other of others) await other.close();
  }
  assert.equal(await world.service.alarms(), 0);
  await profile.close();
});

test("scenario 10: no Web Locks: nobody is signed out", async () => {
  const profile = await open(() => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }));
  for (const way of [COOKIE, INDEXED]) {
    const { tabs, count } = await tabsOf(profile, way, 5);
    for (let round = 0; round < 3; round++) {
      await profile.expire();
      await allCall(tabs);
    }
    const { rotated = 0, repeated: _, mismatch: __, ...refused } = await count.outcomes();
    assert.deepEqual(refused, {});
    assert.ok(rotated >= 3 && rotated <= 6, `${rotated} rotations`);
    for (const tab of tabs) await tab.close();
  }
  assert.equal(await world.service.alarms(), 0);
  await profile.close();
});

test("scenario 12: the browser is killed after a renewal, and reopened on the same profile", async () => {
  world.reset();
  const folder = world.folder("killed");
  const first = await Firefox.start(folder);
  await tabsOf(new Profile(world, first.profile), COOKIE, 1);
  await first.close();
  const second = Firefox.moved(folder);
  const killed = await Firefox.start(second);
  const before = new Profile(world, killed.profile);
  const count = await world.count();
  const tab = await before.open(COOKIE.session);
  assert.equal((await tab.call()).status, 200);
  await killed.kill();
  const again = await Firefox.start(Firefox.moved(second));
  const profile = new Profile(world, again.profile);
  const next = await profile.open(COOKIE.session);
  assert.equal((await next.call()).status, 200);
  const { rotated: _, repeated: __, ...refused } = await count.outcomes();
  assert.deepEqual(refused, {});
  await profile.close();
});
