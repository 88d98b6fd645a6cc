// A service that does not answer, or answers something else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { names, rejection } from "./support/outcome.js";
import { API } from "./support/service.js";
import { ADA, LOGOUT, REFRESH, Stage, until } from "./support/stage.js";

test("s16 a lost answer is asked for again under the same id and brings the same successor", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  stage.service.next(REFRESH, "lose-answer", "lose-request");
  await stage.clock.through(session.getAccessToken());
  assert.deepEqual([stage.service.rotations, stage.service.repeats], [1, 1]);
  assert.equal(new Set(stage.service.attempts()).size, 1);
  assert.equal((await stage.record())?.generation, 1);
});

test("s17 Retry-After is honoured and the session is kept", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  stage.service.next(REFRESH, { status: 429, headers: { "retry-after": "7" } });
  await stage.clock.through(session.getAccessToken());
  const [first, second] = stage.service.requests(REFRESH);
  assert.ok((second?.at ?? 0) - (first?.at ?? 0) >= 7000);
});

test("s17 a wait longer than anybody is kept waiting is told at once, and kept to", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  stage.service.next(REFRESH, { status: 503, headers: { "retry-after": "90" } });
  const error = await rejection(stage.clock.through(session.getAccessToken()));
  assert.equal(error.code, "unavailable");
  assert.ok((error.retryAfter ?? 0) > 89);
  session.wake();
  await rejection(stage.clock.through(session.getAccessToken()));
  assert.equal(stage.service.requests(REFRESH).length, 1);
  assert.equal(session.state.status, "unreachable");
});

test("s17 what one request was asked to wait for stands while another gets no answer", async () => {
  const stage = new Stage();
  stage.service.lifetime = 5;
  const { session } = await stage.signedIn();
  stage.service.next(LOGOUT, { hold: new Promise(() => undefined) });
  await stage.clock.through(session.signIn({ ...ADA, username: "ben" }));
  await until(() => stage.service.requests(LOGOUT).length === 1);
  stage.service.next(REFRESH, { status: 503, headers: { "retry-after": "30" } });
  await stage.clock.advance(5000);
  await rejection(stage.clock.through(session.getAccessToken()));
  // Ada's sign-out is given up.
  await stage.clock.advance(6000);
  await rejection(stage.clock.through(session.getAccessToken()));
  assert.equal(stage.service.requests(REFRESH).length, 1);
});

test("s18 fifty times 503: unavailable, and the session is kept", async () => {
  const stage = new Stage();
  const { session, events } = await stage.expired();
  stage.service.forever(REFRESH, { status: 503 });
  while (stage.service.requests(REFRESH).length < 50) {
    const began = stage.clock.running;
    const error = await rejection(stage.clock.through(session.getAccessToken()));
    assert.deepEqual([error.code, error.isSignedOut()], ["unavailable", false]);
    assert.ok(stage.clock.running - began <= 21_000);
  }
  assert.equal(session.state.status, "unreachable");
  assert.deepEqual(names(events), ["unreachable"]);
  stage.service.heal();
  await stage.clock.advance(5000);
  await stage.clock.through(session.getAccessToken());
  assert.deepEqual(names(events), ["unreachable", "reachable", "refreshed"]);
});

test("captive portals, refusals and time-outs end nothing", async () => {
  const grant = { error: "invalid_grant" };
  const faults = [
    { status: 200, text: "<html>" },
    { status: 403 },
    { status: 403, json: grant },
    { status: 401, json: grant },
    { status: 500, json: grant },
    { status: 408 },
    { status: 400, text: JSON.stringify(grant) },
    { status: 400, json: { error: "something" } },
    { status: 302, headers: { location: "https://evil.example/" } },
  ];
  for (const fault of faults) {
    const stage = new Stage();
    const { session, events } = await stage.expired();
    stage.service.forever(REFRESH, fault);
    const error = await rejection(stage.clock.through(session.getAccessToken()));
    assert.equal(error.isSignedOut(), false, JSON.stringify(fault));
    assert.ok(await stage.record(), JSON.stringify(fault));
    assert.ok(!names(events).includes("signedout"));
    stage.service.heal();
    await stage.clock.advance(5000);
    await stage.clock.through(session.getAccessToken());
  }
});

test("a request that is never answered is given ten seconds", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  stage.service.next(REFRESH, { hold: new Promise(() => undefined), before: true });
  await stage.clock.through(session.getAccessToken());
  const [first, second] = stage.service.requests(REFRESH);
  const waited = (second?.at ?? 0) - (first?.at ?? 0);
  assert.ok(waited >= 10_000 && waited <= 10_250, String(waited));
});

test("s19 back online, a call that waits is served within a second", async () => {
  const stage = new Stage();
  const { session, live } = await stage.expired();
  stage.service.offline = true;
  stage.share = 1;
  const call = session.getAccessToken();
  await stage.clock.advance(8000);
  const tried = stage.service.requests(REFRESH).length;
  stage.service.offline = false;
  live("online");
  await stage.clock.advance(1000);
  await call;
  assert.equal(stage.service.requests(REFRESH).length, tried + 1);
});

test("s19 waking with a dead connection starts anew", async () => {
  const stage = new Stage();
  const { session, live } = await stage.expired();
  stage.service.next(REFRESH, { hold: new Promise(() => undefined), before: true });
  const call = session.getAccessToken();
  await stage.clock.advance(2000);
  live("online");
  await stage.clock.advance(1000);
  await call;
});

test("s20 a renewal ahead of need that fails is nobody's affair", async () => {
  const stage = new Stage();
  const { session } = await stage.signedIn();
  const token = await session.getAccessToken();
  await stage.clock.advance(555_000);
  stage.service.forever(REFRESH, { status: 503 });
  assert.equal(await session.getAccessToken(), token);
  await stage.clock.advance(30_000);
  assert.equal(await session.getAccessToken(), token);
  assert.ok(stage.service.requests(REFRESH).length > 0);
  const answer = await session.fetch(`${API}/orders`);
  assert.equal(answer.status, 200);
});
