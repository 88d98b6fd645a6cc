// When tokens are renewed, by two clocks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { flush } from "./support/clock.js";
import { names } from "./support/outcome.js";
import { API } from "./support/service.js";
import { ADA, REFRESH, Stage } from "./support/stage.js";

test("s22 an API that always refuses makes one renewal, one repetition and no loop", async () => {
  const stage = new Stage();
  const { session } = await stage.signedIn();
  await stage.clock.advance(60_000);
  stage.service.refuses = true;
  const first = await stage.clock.through(session.fetch(`${API}/orders`));
  assert.equal(first.status, 401);
  assert.equal(stage.service.requests("/orders").length, 2);
  const again = await stage.clock.through(session.fetch(`${API}/orders`));
  assert.equal(again.status, 401);
  assert.equal(stage.service.requests("/orders").length, 3, "a token this young is not at fault");
  assert.equal(stage.service.requests(REFRESH).length, 1);
});

test("s23 a lifetime of twenty seconds makes no storm", async () => {
  const stage = new Stage();
  stage.service.lifetime = 20;
  const { session } = await stage.signedIn();
  for (let i = 0; i < 1000; i++) {
    await stage.clock.through(session.getAccessToken());
    stage.clock.wall += 100;
    stage.clock.running += 100;
  }
  assert.ok(stage.service.requests(REFRESH).length <= 100 / 15 + 1, String(stage.service.requests(REFRESH).length));
});

test("s23 a clock that is an hour off makes no more than one renewal for each lifetime", async () => {
  for (const skew of [-3_600_000, 3_600_000]) {
    const stage = new Stage();
    stage.service.skew = skew;
    const { session, events } = await stage.signedIn();
    for (let i = 0; i < 120; i++) {
      await stage.clock.through(session.getAccessToken());
      await stage.clock.advance(10_000);
    }
    assert.ok(stage.service.requests(REFRESH).length <= 2, String(skew));
    assert.ok(!names(events).includes("skew"), "it was told at the sign-in");
  }
});

test("the service's clock is told when it differs, and once", async () => {
  const stage = new Stage();
  stage.service.skew = 3_600_000;
  const tab = stage.open();
  await stage.clock.through(tab.session.signIn(ADA));
  await stage.clock.advance(600_000);
  await stage.clock.through(tab.session.getAccessToken());
  assert.deepEqual(
    tab.events.filter(([name]) => name === "skew"),
    [["skew", { seconds: 3600 }]],
  );
});

test("s23 after two hours of sleep a token is expired, whichever clock has noticed", async () => {
  for (const counted of [true, false]) {
    const stage = new Stage();
    const { session } = await stage.signedIn();
    stage.clock.suspend(7_200_000, counted);
    assert.equal(session.state.status, "stale");
    await stage.clock.through(session.getAccessToken());
    assert.equal(stage.service.requests(REFRESH).length, 1);
  }
  const stage = new Stage();
  const { session } = await stage.signedIn();
  // The wall clock has been set back meanwhile.
  stage.clock.running += 7_200_000;
  assert.equal(session.state.status, "stale");
});

test("s24 a thousand who signed in together renew apart", async () => {
  const due: number[] = [];
  for (let i = 0; i < 100; i++) {
    const stage = new Stage();
    stage.share = i / 100;
    const { session } = await stage.signedIn();
    for (let second = 500; second < 600 && stage.service.requests(REFRESH).length === 0; second++) {
      stage.clock.wall += 500_000 - (second > 500 ? 499_000 : 0);
      stage.clock.running += 500_000 - (second > 500 ? 499_000 : 0);
      void session.getAccessToken();
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      if (stage.service.requests(REFRESH).length > 0) due.push(second);
    }
  }
  assert.ok(Math.max(...due) - Math.min(...due) >= 25, `${Math.min(...due)} to ${Math.max(...due)}`);
});

test("refresh_in overrides the rule, and a young token is not renewed ahead", async () => {
  const stage = new Stage();
  stage.service.refreshIn = 100;
  const { session } = await stage.signedIn();
  await stage.clock.advance(99_000);
  await session.getAccessToken();
  assert.equal(stage.service.requests(REFRESH).length, 0);
  await stage.clock.advance(2000);
  await session.getAccessToken();
  await flush();
  assert.equal(stage.service.requests(REFRESH).length, 1);
  stage.service.refreshIn = 0;
  await stage.clock.advance(101_000);
  await session.getAccessToken();
  await flush();
  await session.getAccessToken();
  await flush();
  assert.equal(stage.service.requests(REFRESH).length, 2);
});

test("minValidity is waited for, and never asked for again and again", async () => {
  const stage = new Stage();
  const { session } = await stage.signedIn();
  await stage.clock.advance(400_000);
  const old = await session.getAccessToken({ minValidity: 100 });
  const renewed = await stage.clock.through(session.getAccessToken({ minValidity: 300 }));
  assert.notEqual(renewed, old);
  assert.equal(await session.getAccessToken({ minValidity: 9999 }), renewed);
  assert.equal(stage.service.requests(REFRESH).length, 1);
});
