// Scenarios of several tabs that share one session: one rotation, whoever is hidden, frozen, closed or without locks.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { type Frozen, freeze } from "../src/harness/browser.js";
import type { Profile, Tab } from "../src/harness/profile.js";
import { type Fault, holdAnswer, holdRequest, loseAnswer, loseRequest, REFRESH } from "../src/harness/proxy.js";
import { COOKIE, INDEXED, SHARED, type Way } from "../src/harness/transports.js";
import { Gate, until } from "../src/harness/until.js";
import { type Count, type Owned, World } from "../src/harness/world.js";

let world: World;
before(async () => (world = await World.open()));
after(() => world.close());

interface Shared {
  profile: Profile;
  tabs: Tab[];
  count: Count;
}

/** So many tabs of one session, and what happens from then on. All have a token. */
async function tabsOf(profile: Profile, way: Way, number: number, visible = 0): Promise<Shared> {
  const first = await profile.open(way.session);
  await first.signIn();
  const hidden = await profile.openAll(number - visible - 1, way.session);
  const seen: Tab[] = [];
  for (let i = 0; i < visible; i++) seen.push(await profile.open({ ...way.session, window: true }));
  const tabs = [first, ...hidden, ...seen];
  // Those that opened later take the token over from the others.
  for (const tab of tabs) assert.ok((await tab.token()).token);
  return { profile, tabs, count: await world.count() };
}

/** Each tab makes a call at the same time, and each is answered. */
async function allCall(tabs: Tab[]): Promise<void> {
  const made = await Promise.all(tabs.map((tab) => tab.call()));
  assert.deepEqual(
    made.map(({ status, error }) => status ?? error),
    tabs.map(() => 200),
  );
}

/**
 * Without a lock several tabs may ask, and a cookie may be newer than the ids that a tab has read. But for each
 * generation all of them ask under one id, and nothing is refused.
 */
async function oneSuccessorEach(count: Count): Promise<void> {
  const { rotated: _, repeated: __, mismatch: ___, ...refused } = await count.outcomes();
  assert.deepEqual(refused, {});
  const ids = new Map<string, Set<string>>();
  for (const { attempt = "" } of count.seen(REFRESH)) {
    assert.match(attempt, /^\d+:[\w.~-]{22}/, "each is asked for under an id");
    const [generation = "", id = ""] = (attempt.split(",")[0] ?? "").split(":");
    ids.set(generation, (ids.get(generation) ?? new Set()).add(id));
  }
  for (const [generation, of] of ids) assert.equal(of.size, 1, `ids for generation ${generation}`);
}

async function nobodyIsSignedOut(tabs: Tab[]): Promise<void> {
  for (const tab of tabs) assert.ok(!(await tab.told()).events.includes("signedout"));
  assert.equal(await world.service.alarms(), 0);
}

for (const way of SHARED) {
  test(`scenario 9: 10 tabs, 5 of them visible, one expired token: 1 rotation (${way.name})`, async () => {
    const { profile } = await world.browser();
    const { tabs, count } = await tabsOf(profile, way, 10, 5);
    const visible = await Promise.all(
      tabs.map((tab) => tab.run(() => document.visibilityState === "visible", undefined)),
    );
    assert.ok(
      visible.filter((seen) => seen).length >= 5 && visible.filter((seen) => !seen).length >= 4,
      String(visible),
    );
    await profile.expire();
    await allCall(tabs);
    const { repeated = 0, ...outcomes } = await count.outcomes();
    assert.deepEqual(outcomes, { rotated: 1 }, "counted at the service");
    // Chromium tells its other processes of what was written to localStorage when it comes to it: whoever has the lock next
    // may still see the token before, and repeats the rotation.
    if (way.session.store !== "localStorage") assert.deepEqual([count.requests(REFRESH), repeated], [1, 0]);
    await nobodyIsSignedOut(tabs);
    await profile.close();
  });
}

test("scenario 9, eager: 10 tabs that renew by themselves while they can be seen: 1 rotation", async () => {
  const { profile } = await world.browser();
  const eager: Way = { name: "eager", session: { ...COOKIE.session, ...{ refresh: "eager" } } };
  const { tabs, count } = await tabsOf(profile, eager, 10, 5);
  await profile.expire();
  // Nobody calls: coming into sight is what makes an eager tab look at the clock.
  await Promise.all(
    tabs.slice(-5).map((tab) => tab.run(() => document.dispatchEvent(new Event("visibilitychange")), undefined)),
  );
  await until("a tab has renewed", async () => (await count.outcomes()).rotated);
  await Promise.all(tabs.slice(-5).map((tab) => tab.is("active")));
  assert.deepEqual(await count.outcomes(), { rotated: 1 });
  await nobodyIsSignedOut(tabs);
  await profile.close();
});

for (const way of [COOKIE, INDEXED]) {
  test(`scenario 10: no Web Locks: one successor, nobody signed out (${way.name})`, async () => {
    const profile = await world.profile();
    await profile.context.addInitScript(() =>
      Object.defineProperty(Navigator.prototype, "locks", { value: undefined }),
    );
    const { tabs, count } = await tabsOf(profile, way, 10);
    for (let round = 1; round <= 3; round++) {
      await profile.expire();
      await allCall(tabs);
      await oneSuccessorEach(count);
    }
    const { rotated = 0 } = await count.outcomes();
    assert.ok(rotated >= 3 && rotated <= 6, `${rotated} rotations`);
    await nobodyIsSignedOut(tabs);
    await profile.close();
  });

  test(`scenario 11: the lock's holder is frozen for 60 s: the others proceed, no error is seen (${way.name})`, async () => {
    const { profile } = await world.browser();
    const { tabs, count } = await tabsOf(profile, way, 4, 1);
    const [holder, ...others] = tabs as [Tab, ...Tab[]];
    await until("the holder is hidden", () => holder.run(() => document.hidden, undefined));
    await profile.expire();
    const gate = new Gate();
    world.proxy.next(REFRESH, holdRequest(gate));
    const held = holder.call();
    held.catch(() => undefined);
    await gate.arrived("the holder's request has left");
    const locks = await others[0]?.run(
      async () => (await navigator.locks.query()).held?.map(({ name }) => name),
      undefined,
    );
    assert.ok(
      locks?.some((name) => name?.startsWith("daypass:")),
      "it holds the lock",
    );
    const frozen = await freeze(holder.page);
    // They wait for the lock as long as the client does, and go on under the same attempt id.
    await allCall(others);
    await oneSuccessorEach(count);
    assert.equal((await count.outcomes()).rotated, 1);
    await profile.putForward(60_000);
    await frozen.thaw();
    gate.open();
    const { status, error } = await held;
    assert.equal(status ?? error, 200);
    await oneSuccessorEach(count);
    assert.equal((await count.outcomes()).rotated, 1);
    await allCall(tabs);
    await nobodyIsSignedOut(tabs);
    await profile.close();
  });
}

/**
 * Freezes tabs, none of them in the midst of a transaction, which would keep the others from the store: so do browsers, but
 * not those who steer them. Who is not frozen tells.
 */
async function freezeAtRest(tabs: Tab[], awake: Tab): Promise<Frozen[]> {
  for (let tries = 0; tries < 20; tries++) {
    const frozen = await Promise.all(tabs.map((tab) => freeze(tab.page)));
    const canWrite = await awake.run(
      () =>
        new Promise<boolean>((resolve, reject) => {
          setTimeout(() => resolve(false), 2000);
          const opening = indexedDB.open("daypass");
          opening.onerror = () => reject(opening.error);
          opening.onsuccess = () => {
            const transaction = opening.result.transaction("sessions", "readwrite");
            transaction.objectStore("sessions").count();
            transaction.oncomplete = () => {
              opening.result.close();
              resolve(true);
            };
          };
        }),
      undefined,
    );
    if (canWrite) return frozen;
    for (const each of frozen) await each.thaw();
  }
  throw new Error("the tabs are never at rest");
}

test("frozen tabs: hidden ones that slept through rotations go on where the others are", async () => {
  const { profile } = await world.browser();
  const { tabs, count } = await tabsOf(profile, COOKIE, 6, 1);
  const [asleep, awake] = [tabs.slice(1, 4), tabs.slice(4)];
  const frozen = await freezeAtRest(asleep, awake[0] as Tab);
  for (let round = 0; round < 3; round++) {
    await profile.expire();
    await allCall(awake);
  }
  assert.deepEqual(await count.outcomes(), { rotated: 3 });
  await profile.expire();
  for (const each of frozen) await each.thaw();
  await allCall(tabs);
  assert.deepEqual(await count.outcomes(), { rotated: 4 });
  await nobodyIsSignedOut(tabs);
  await profile.close();
});

describe("scenario 12: a tab is closed in mid-refresh: still signed in", () => {
  const moments: [string, (gate: Gate) => Fault][] = [
    ["before the request arrives", holdRequest],
    ["after it was carried out", holdAnswer],
  ];
  for (const way of SHARED) {
    for (const [moment, hold] of moments) {
      test(`${moment} (${way.name})`, async () => {
        const profile = await world.profile();
        const { tabs, count } = await tabsOf(profile, way, 1);
        // The profile must not go with its last tab.
        await profile.open({ bare: true });
        await profile.expire();
        const gate = new Gate();
        world.proxy.next(REFRESH, hold(gate));
        const [tab] = tabs as [Tab];
        const call = tab.call().catch(() => undefined);
        await gate.arrived();
        await tab.close();
        await call;
        gate.open();
        await world.proxy.quiet();
        const next = await profile.open(way.session);
        assert.equal((await next.call()).status, 200);
        await profile.expire();
        assert.equal((await next.call()).status, 200);
        await oneSuccessorEach(count);
        await nobodyIsSignedOut([next]);
        await profile.close();
      });
    }
  }
});

test("scenario 16: the answer is lost after the commit: the retry gets the same successor", async () => {
  for (const way of SHARED) {
    const profile = await world.profile();
    const { tabs, count } = await tabsOf(profile, way, 1);
    await profile.expire();
    world.proxy.next(REFRESH, loseAnswer);
    world.proxy.next(REFRESH, loseRequest);
    await allCall(tabs);
    assert.deepEqual(await count.outcomes(), { rotated: 1, repeated: 1 }, way.name);
    const attempts = world.proxy.seen
      .filter(({ what }) => what === REFRESH)
      .slice(-3)
      .map(({ attempt }) => attempt);
    assert.equal(new Set(attempts).size, 1, "one attempt id for all tries");
    assert.ok(attempts[0]);
    await nobodyIsSignedOut(tabs);
    await profile.close();
  }
});

/** Opens a browser, signs in and ends it as people do, so that the cookie is on disk. */
async function onDisk(way: Way): Promise<string> {
  const { profile, folder } = await world.browser();
  await tabsOf(profile, way, 1);
  await profile.close();
  return folder;
}

async function reopened(folder: string, way: Way): Promise<Owned & { tab: Tab }> {
  const owned = await world.browser(folder);
  return { ...owned, tab: await owned.profile.open(way.session) };
}

describe("scenario 12: the browser is killed in mid-refresh: still signed in when reopened", () => {
  // Chromium writes localStorage late and on no request: what is kept there does not survive a kill.
  for (const way of [COOKIE, INDEXED]) {
    test(`before its new cookie is on disk (${way.name})`, async () => {
      const folder = await onDisk(way);
      const killed = await reopened(folder, way);
      const count = await world.count();
      await killed.profile.expire();
      assert.equal((await killed.tab.call()).status, 200);
      // Chromium writes cookies half a minute later: this kill loses the new one.
      await killed.chromium.kill();
      const { tab, profile } = await reopened(folder, way);
      await profile.expire();
      assert.equal((await tab.call()).status, 200);
      const expected = way === COOKIE ? { rotated: 1, repeated: 1 } : { rotated: 2 };
      assert.deepEqual(await count.outcomes(), expected, "the old cookie is repeated, by its id");
      await profile.expire();
      assert.equal((await tab.call()).status, 200);
      await nobodyIsSignedOut([tab]);
      await profile.close();
    });

    test(`while the answer is on its way (${way.name})`, async () => {
      const folder = await onDisk(way);
      const killed = await reopened(folder, way);
      const count = await world.count();
      await killed.profile.expire();
      const gate = new Gate();
      world.proxy.next(REFRESH, holdAnswer(gate));
      const call = killed.tab.call().catch(() => undefined);
      await gate.arrived("the refresh has been carried out");
      await killed.chromium.kill();
      await call;
      gate.open();
      const { tab, profile } = await reopened(folder, way);
      await profile.expire();
      assert.equal((await tab.call()).status, 200);
      const outcomes = await count.outcomes();
      assert.deepEqual(outcomes, { rotated: 1, repeated: 1 });
      await nobodyIsSignedOut([tab]);
      await profile.close();
    });
  }
});
