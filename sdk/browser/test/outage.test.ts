// Scenarios of a network that is gone, a service that is down, and clocks that are wrong: nobody is signed out.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import type { Profile, Tab } from "../src/harness/profile.js";
import { instead, loseHeldAnswer, REFRESH } from "../src/harness/proxy.js";
import { COOKIE, INDEXED, SHARED, type Way } from "../src/harness/transports.js";
import { Gate, until } from "../src/harness/until.js";
import { World } from "../src/harness/world.js";

const HOUR = 3_600_000;

async function signedIn(world: World, way: Way, number = 1): Promise<{ profile: Profile; tabs: Tab[]; tab: Tab }> {
  const profile = await world.profile();
  const tab = await profile.open(way.session);
  await tab.signIn();
  const tabs = [tab, ...(await profile.openAll(number - 1, way.session))];
  for (const each of tabs) assert.ok((await each.token()).token);
  return { profile, tabs, tab };
}

async function nobodyIsSignedOut(world: World, tabs: Tab[]): Promise<void> {
  for (const tab of tabs) assert.ok(!(await tab.told()).events.includes("signedout"));
  assert.equal(await world.service.alarms(), 0);
}

describe("a network or a service that is gone", () => {
  let world: World;
  before(async () => (world = await World.open()));
  after(() => world.close());

  for (const way of [COOKIE, INDEXED]) {
    test(`scenario 19: wake offline with a call waiting, online 2 s later: renewed within 1 s (${way.name})`, async () => {
      const { profile, tab } = await signedIn(world, way);
      const count = await world.count();
      await profile.expire();
      await profile.context.setOffline(true);
      const call = tab.run(async (url) => {
        const online = new Promise<number>((resolve) =>
          addEventListener("online", () => resolve(performance.now()), { once: true }),
        );
        const made = await globalThis.app.call(url, {});
        return { status: made.status, error: made.error, after: performance.now() - (await online) };
      }, `${world.api.url}/hello`);
      call.catch(() => undefined);
      // The two seconds are the scenario's: by then the client waits longer between two tries than it may take at last.
      await tab.page.waitForFunction(
        (since) => performance.now() > since + 2000,
        await tab.run(() => performance.now(), undefined),
      );
      await profile.context.setOffline(false);
      const { status, error, after } = await call;
      assert.equal(status ?? error, 200);
      assert.ok(after < 1000, `${after} ms after coming online`);
      // A request that left just before the page hears that it is online is not trusted, and sent again.
      const { repeated: _, ...outcomes } = await count.outcomes();
      assert.deepEqual(outcomes, { rotated: 1 });
      await nobodyIsSignedOut(world, [tab]);
      await profile.close();
    });
  }

  test("offline: the session is unreachable, not over, and goes on once online", async () => {
    const { profile, tab } = await signedIn(world, COOKIE);
    await profile.expire();
    await profile.context.setOffline(true);
    let done = false;
    const token = tab.token().finally(() => (done = true));
    // The client gives up after twenty seconds of its own clock, which it takes for a machine asleep a few times.
    await until("the client gives up", async () => {
      await profile.putForward(21_000);
      return done;
    });
    assert.equal((await token).error, "unavailable");
    assert.equal((await tab.told()).state, "unreachable");
    await profile.context.setOffline(false);
    assert.equal((await tab.call()).status, 200);
    assert.deepEqual(
      (await tab.told()).events.filter((event) => event.endsWith("reachable")),
      ["unreachable", "reachable"],
    );
    await nobodyIsSignedOut(world, [tab]);
    await profile.close();
  });

  for (const way of SHARED) {
    test(`what answers in the service's stead ends no session (${way.name})`, async () => {
      const { profile, tab } = await signedIn(world, way);
      const count = await world.count();
      await profile.expire();
      const json = { "content-type": "application/json" };
      world.proxy.next(REFRESH, instead(200, { cors: true, body: "<html>Accept the terms</html>" }));
      world.proxy.next(REFRESH, instead(403, { cors: true }));
      world.proxy.next(REFRESH, instead(400, { cors: true, body: '{"error":"invalid_grant"}' }));
      world.proxy.next(REFRESH, instead(503, { cors: true, headers: json, body: '{"error":"invalid_grant"}' }));
      world.proxy.next(REFRESH, instead(502));
      assert.equal((await tab.call()).status, 200);
      assert.deepEqual(await count.outcomes(), { rotated: 1 });
      assert.equal(count.requests(REFRESH), 6);
      await nobodyIsSignedOut(world, [tab]);
      await profile.close();
    });
  }

  for (const way of [COOKIE, INDEXED]) {
    test(`the service is killed and restarted under 10 tabs: nobody is signed out (${way.name})`, async () => {
      const { profile, tabs } = await signedIn(world, way, 10);
      await profile.expire();
      const gate = new Gate();
      world.proxy.next(REFRESH, loseHeldAnswer(gate));
      const calls = Promise.all(tabs.map((each) => each.call()));
      calls.catch(() => undefined);
      await gate.arrived("a refresh has been carried out");
      // Killed after the commit, and its answer with it; then it is away until the tabs have asked in vain.
      await world.service.kill();
      const before = world.proxy.inVain;
      gate.open();
      await until("the tabs ask in vain", () => world.proxy.inVain >= before + 3);
      const during = await Promise.race([calls, world.service.start()]);
      assert.equal(during, undefined, "nobody has given up");
      const made = await calls;
      assert.deepEqual(
        made.map(({ status, error }) => status ?? error),
        tabs.map(() => 200),
      );
      await profile.expire();
      const again = await Promise.all(tabs.map((each) => each.call()));
      assert.deepEqual(
        again.map(({ status, error }) => status ?? error),
        tabs.map(() => 200),
      );
      await nobodyIsSignedOut(world, tabs);
      await profile.close();
    });
  }
});

describe("clocks", () => {
  let world: World;
  before(async () => (world = await World.open({ DAYPASS_TOKENS__ACCESS: "20s" })));
  after(() => world.close());

  /** Uses a session for so many seconds of its own time, a call every half second. */
  async function use(profile: Profile, tab: Tab, seconds: number): Promise<void> {
    const { pages } = world;
    const made = await tab.run(
      async ([url, times, both, wall]) => {
        const statuses = [];
        for (let i = 1; i <= times; i++) {
          globalThis.putForward(both + i * 500, wall);
          statuses.push((await globalThis.app.call(url, {})).status);
        }
        return statuses;
      },
      [`${world.api.url}/hello`, seconds * 2, pages.ahead, pages.wallAhead] as const,
    );
    await profile.putForward(seconds * 1000);
    assert.deepEqual(made, Array(seconds * 2).fill(200));
  }

  test("scenario 23: lifetime of 20 s: no storm", async () => {
    const { profile, tab } = await signedIn(world, COOKIE);
    const count = await world.count();
    await use(profile, tab, 80);
    const { rotated = 0, ...others } = await count.outcomes();
    assert.ok(rotated >= 3 && rotated <= 8, `${rotated} rotations in four lifetimes and what the calls took`);
    assert.deepEqual(others, {});
    // The last one may be under way, behind a call that did not wait for it.
    assert.ok(count.requests(REFRESH) <= rotated + 1);
    await profile.close();
  });

  for (const off of [HOUR, -HOUR]) {
    test(`scenario 23: clock one hour ${off > 0 ? "fast" : "slow"}: at most one refresh a lifetime`, async () => {
      const profile = await world.profile();
      world.pages.wallAhead = off;
      const tab = await profile.open(COOKIE.session);
      await tab.signIn();
      const count = await world.count();
      await use(profile, tab, 60);
      // It is set right, as clocks are: that may cost one.
      await profile.putForward(-off, "wall");
      await use(profile, tab, 20);
      const { rotated = 0, ...others } = await count.outcomes();
      assert.ok(rotated >= 2 && rotated <= 8, `${rotated} rotations in four lifetimes and what the calls took`);
      assert.deepEqual(others, {});
      await profile.close();
    });
  }

  test("scenario 23: suspend for 2 h: treated as expired", async () => {
    const { profile, tab } = await signedIn(world, COOKIE);
    const count = await world.count();
    // The steady clock of pages stands still meanwhile.
    await profile.putForward(2 * HOUR, "wall");
    assert.equal((await tab.told()).state, "stale");
    assert.equal((await tab.call()).status, 200);
    assert.deepEqual(await count.outcomes(), { rotated: 1 });
    assert.deepEqual(
      count.calls.map(({ status }) => status),
      [200],
      "the old token was not tried",
    );
    await profile.close();
  });
});
