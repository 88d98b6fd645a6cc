// One session against a service that fails on command: renewals, retries, ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore, SessionError, type TokenStore } from "@daypass/client";
import { flush } from "./support/clock.js";
import { API } from "./support/service.js";
import { ADA, failing, gate, LOGOUT, REFRESH, Stage, until } from "./support/stage.js";

const names = (events: [string, unknown][]) => events.map(([name]) => name);
const rejection = async (work: Promise<unknown>): Promise<SessionError> => {
  const error = await work.then(
    () => assert.fail("it worked"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof SessionError, String(error));
  return error;
};

test("s01 a hundred calls with an expired token make one renewal", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  const calls = Array.from({ length: 100 }, () => session.fetch(`${API}/orders`));
  const answers = await stage.clock.through(Promise.all(calls));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.equal(stage.service.requests(REFRESH).length, 1);
});

test("s02 a hundred refusals at once make one renewal, and each call is made again once", async () => {
  const stage = new Stage();
  const { session } = await stage.signedIn();
  await stage.clock.advance(60_000);
  const refused = { status: 401, headers: { "www-authenticate": 'Bearer error="invalid_token"' } };
  for (let i = 0; i < 100; i++) stage.service.next("/orders", refused);
  const calls = Array.from({ length: 100 }, () => session.fetch(`${API}/orders`));
  const answers = await stage.clock.through(Promise.all(calls));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.equal(stage.service.requests(REFRESH).length, 1);
  assert.equal(stage.service.requests("/orders").length, 200);
});

test("s03 a late refusal of an old token renews nothing", async () => {
  const stage = new Stage();
  stage.share = 0;
  const { session } = await stage.signedIn();
  const old = await session.getAccessToken();
  await stage.clock.advance(60_000);
  const held = gate();
  stage.service.next("/slow", { hold: held.opened, before: true });
  const call = session.fetch(`${API}/slow`);
  await flush();
  const renewed = await stage.clock.through(session.getAccessToken({ rejected: old }));
  assert.notEqual(renewed, old);
  await stage.clock.advance(600_000 - 60_000);
  held.open();
  const answer = await stage.clock.through(call);
  assert.equal(await answer.text(), renewed);
  assert.equal(stage.service.requests(REFRESH).length, 1);
});

test("s04 whoever comes between answer and store never sends the old token", async () => {
  const stage = new Stage();
  const slow = gate();
  const inner = memoryStore();
  let holds = false;
  stage.store = {
    ...inner,
    compareExchange: async (version, record) => {
      if (holds && record?.generation === 1) await slow.opened;
      return inner.compareExchange(version, record);
    },
  };
  const { session } = await stage.expired();
  holds = true;
  const first = session.getAccessToken();
  await until(() => stage.service.rotations === 1);
  const second = session.getAccessToken();
  await flush();
  slow.open();
  assert.equal(await first, await second);
  assert.equal(stage.service.requests(REFRESH).length, 1);
});

test("s05 a caller who stops waiting stops nothing: the new pair is stored", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  const held = gate();
  stage.service.next(REFRESH, { hold: held.opened });
  const stop = new AbortController();
  const call = session.getAccessToken({ signal: stop.signal });
  await until(() => stage.service.rotations === 1);
  stop.abort(new Error("enough"));
  await assert.rejects(call, /enough/);
  held.open();
  await flush();
  assert.equal((await stage.record())?.generation, 1);
  assert.equal(session.state.status, "active");
});

test("s06 a listener that calls the session waits for nothing", async () => {
  const stage = new Stage();
  let locked = false;
  const inner = memoryStore();
  stage.store = {
    ...inner,
    lock: async () => {
      locked = true;
      return () => {
        locked = false;
      };
    },
  };
  const { session } = await stage.expired();
  const heard: [string, boolean][] = [];
  session.on("refreshed", async () => {
    heard.push([session.state.status, locked]);
    heard.push([await session.getAccessToken(), locked]);
  });
  assert.equal(session.state.status, "stale");
  session.subscribe(() => heard.push(["state", locked]));
  const token = await stage.clock.through(session.getAccessToken());
  await flush();
  assert.deepEqual(heard, [
    ["state", false],
    ["active", false],
    [token, false],
  ]);
});

test("s06 a listener that throws disturbs nobody", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  const thrown: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => thrown.push(error));
  session.on("refreshed", () => {
    throw new Error("mine");
  });
  let others = 0;
  session.on("refreshed", () => others++);
  await stage.clock.through(session.getAccessToken());
  await flush();
  process.removeAllListeners("uncaughtException");
  for (const listener of listeners) process.on("uncaughtException", listener);
  assert.deepEqual([thrown.length, others], [1, 1]);
});

test("s07 a sign-out in mid-refresh discards and revokes the new pair, with one event", async () => {
  const stage = new Stage();
  const { session, events } = await stage.expired();
  const held = gate();
  stage.service.next(REFRESH, { hold: held.opened });
  const call = rejection(session.getAccessToken());
  await until(() => stage.service.rotations === 1);
  await stage.clock.through(session.signOut());
  held.open();
  assert.equal((await stage.clock.through(call)).code, "signed_out");
  await flush();
  assert.deepEqual(names(events), ["signedout"]);
  assert.equal(await stage.record(), null);
  assert.ok([...stage.service.rows.values()].every(({ ended }) => ended === "revoked"));
});

test("s07 a sign-out while the new pair is being stored wins, too", async () => {
  const stage = new Stage();
  const slow = gate();
  const inner = memoryStore();
  stage.store = {
    ...inner,
    compareExchange: async (version, record) => {
      if (record?.generation === 1) await slow.opened;
      return inner.compareExchange(version, record);
    },
  };
  const { session, events } = await stage.expired();
  const call = rejection(session.getAccessToken());
  await until(() => stage.service.rotations === 1);
  await stage.clock.through(session.signOut());
  slow.open();
  assert.equal((await stage.clock.through(call)).reason, "signed_out");
  await flush();
  assert.equal(await stage.record(), null);
  assert.deepEqual(names(events), ["signedout"]);
});

test("s08 a sign-in as somebody else during a refresh stays", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  const held = gate();
  stage.service.next(REFRESH, { hold: held.opened });
  const call = session.getAccessToken();
  await until(() => stage.service.rotations === 1);
  await stage.clock.through(session.signIn({ username: "bob", password: "right" }));
  held.open();
  assert.match(await stage.clock.through(call), /bob/);
  await flush();
  assert.match((await stage.record())?.session_id ?? "", /bob/);
  assert.equal(stage.service.rows.get("session-ada-0")?.ended, "revoked");
});

test("s15 while the store is full the persisted attempt is repeated, and stored later", async () => {
  const stage = new Stage();
  const store = failing(stage.store);
  stage.store = store;
  const { session, events } = await stage.expired();
  const held = gate();
  stage.service.next(REFRESH, { hold: held.opened });
  const call = session.getAccessToken();
  await until(() => stage.service.rotations === 1);
  store.fails = true;
  held.open();
  await stage.clock.through(call);
  assert.deepEqual(names(events), ["persistfailed", "refreshed"]);
  assert.equal((await stage.record())?.generation, 0);
  for (let i = 0; i < 3; i++) {
    await stage.clock.advance(600_000);
    await stage.clock.through(session.getAccessToken());
  }
  assert.deepEqual([stage.service.rotations, stage.service.repeats, stage.service.reuses], [1, 3, 0]);
  assert.equal(new Set(stage.service.attempts()).size, 1, "the same attempt each time");
  store.fails = false;
  await stage.clock.advance(600_000);
  await stage.clock.through(session.getAccessToken());
  assert.ok(names(events).includes("persisted"));
  assert.equal((await stage.record())?.generation, 2);
});

test("s15 a crash while the store is full signs nobody out", async () => {
  const stage = new Stage();
  const store = failing(stage.store);
  stage.store = store;
  const { session } = await stage.expired();
  const held = gate();
  stage.service.next(REFRESH, { hold: held.opened });
  const call = session.getAccessToken();
  await until(() => stage.service.rotations === 1);
  store.fails = true;
  held.open();
  await stage.clock.through(call);
  store.fails = false;
  const { session: next } = stage.open();
  await stage.clock.advance(600_000);
  await stage.clock.through(next.getAccessToken());
  assert.deepEqual([stage.service.repeats, stage.service.reuses], [1, 0]);
});

test("an attempt id is stored before the request leaves, and without that none leaves", async () => {
  const stage = new Stage();
  const store = failing(stage.store);
  stage.store = store;
  const { session } = await stage.expired();
  store.fails = true;
  const error = await rejection(stage.clock.through(session.getAccessToken()));
  assert.deepEqual([error.code, error.isTemporary()], ["store", true]);
  assert.equal(stage.service.requests(REFRESH).length, 0);
  store.fails = false;
  const held = gate();
  stage.service.next(REFRESH, { hold: held.opened, before: true });
  const call = session.getAccessToken();
  await stage.clock.advance(300);
  await until(() => stage.service.requests(REFRESH).length === 1);
  const stored = (await stage.record())?.attempts[0]?.id;
  held.open();
  await stage.clock.through(call);
  assert.equal(stage.service.attempts()[0], `0:${stored}`);
});

test("the last three ids go along, newest first", async () => {
  const stage = new Stage();
  const { session } = await stage.signedIn();
  for (let i = 0; i < 6; i++) {
    await stage.clock.advance(600_000);
    await stage.clock.through(session.getAccessToken());
  }
  const last = stage.service.attempts().at(-1) ?? "";
  assert.deepEqual(
    last.split(", ").map((pair) => pair.split(":")[0]),
    ["5", "4", "3", "2"],
  );
});

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

test("an end is believed only after the store was read again", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  const held = gate();
  stage.service.next(REFRESH, { hold: held.opened, before: true });
  const call = session.getAccessToken();
  await until(() => stage.service.requests(REFRESH).length === 1);
  const { session: another } = stage.open();
  await stage.clock.through(another.signIn({ username: "bob", password: "right" }));
  await until(() => stage.service.rows.get("session-ada-0")?.ended !== undefined);
  held.open();
  assert.equal(await stage.clock.through(call), await another.getAccessToken());
  assert.ok(await stage.record());
});

test("superseded with nothing newer is a thief, who is logged out first", async () => {
  const stage = new Stage();
  const { session, events } = await stage.expired();
  stage.service.next(REFRESH, { status: 400, json: { error: "invalid_grant", reason: "superseded" } });
  stage.service.next(LOGOUT, { status: 503 }, "lose-request", { status: 200 });
  const error = await rejection(stage.clock.through(session.getAccessToken()));
  assert.equal(error.reason, "reused");
  assert.equal(stage.service.requests(LOGOUT).length, 4);
  assert.deepEqual(events.at(-1), ["signedout", { reason: "reused" }]);
});

test("superseded while the service cannot be told keeps the session", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  stage.service.next(REFRESH, { status: 400, json: { error: "invalid_grant", reason: "superseded" } });
  stage.service.forever(LOGOUT, { status: 503 });
  assert.equal((await rejection(stage.clock.through(session.getAccessToken()))).code, "unavailable");
  assert.ok(await stage.record());
});

test("a mismatch is adopted if it is newer, and only then", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  const row = stage.service.rows.get("session-ada-0");
  assert.ok(row);
  row.generation = 4;
  const { version, record } = await stage.store.load();
  assert.ok(record);
  await stage.store.compareExchange(version, { ...record, refresh_token: "dpr/session-ada-0/4" });
  await stage.clock.through(session.getAccessToken());
  assert.equal((await stage.record())?.generation, 5);
  assert.deepEqual(
    stage.service.attempts().map((ids) => ids?.split(":")[0]),
    ["0", "4"],
  );
});

test("a thief is noticed: his use of the token is the owner's alarm", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  const token = (await stage.record())?.refresh_token;
  const { fetch } = stage.environment();
  await fetch("https://id.example/v1/refresh", {
    method: "POST",
    body: JSON.stringify({ refresh_token: token }),
    headers: { "Daypass-Attempt": `0:${"t".repeat(22)}` },
  });
  assert.equal((await rejection(stage.clock.through(session.getAccessToken()))).reason, "reused");
  assert.equal(await stage.record(), null);
});

test("tokens of another session are no answer", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  const other = {
    access_token: "x",
    token_type: "Bearer",
    expires_in: 600,
    session_id: "other",
    generation: 9,
    refresh_token: "dpr/x/9",
  };
  stage.service.next(REFRESH, { status: 200, json: other });
  const token = await stage.clock.through(session.getAccessToken());
  assert.match(token, /ada/);
});

test("what a store lost or another process wrote is taken over without a renewal", async () => {
  const stage = new Stage();
  const { session: one } = await stage.expired();
  const { session: two } = stage.open();
  await flush();
  const token = await stage.clock.through(one.getAccessToken());
  assert.equal(await two.getAccessToken(), token);
  await stage.clock.through(one.signOut());
  await stage.clock.advance(600_000);
  assert.equal((await rejection(two.getAccessToken())).reason, "signed_out");
  assert.equal(stage.service.requests(REFRESH).length, 1);
});

test("a record of another service or client is no session, and is replaced by a sign-in only", async () => {
  const stage = new Stage();
  await stage.signedIn();
  const { session } = stage.open({ clientId: "shop" });
  assert.equal((await rejection(session.getAccessToken())).reason, "not_signed_in");
  assert.ok(await stage.record());
});

test("states are snapshots, and subscribers hear of changes only", async () => {
  const stage = new Stage();
  const { session } = stage.open();
  assert.deepEqual(session.state, { status: "unknown" });
  let told = 0;
  const release = session.subscribe(() => told++);
  await flush();
  assert.deepEqual(session.state, { status: "signed-out", reason: "not_signed_in" });
  assert.equal(session.state, session.state);
  assert.ok(Object.isFrozen(session.state));
  await stage.clock.through(session.signIn(ADA));
  assert.equal(session.state.status, "active");
  assert.equal(told, 2);
  release();
  await stage.clock.through(session.signOut());
  assert.equal(told, 2);
});

test("signing in tells what went wrong, and changes nothing then", async () => {
  const stage = new Stage();
  const { session } = await stage.signedIn();
  const wrong = session.signIn({ username: "ada", password: "wrong" });
  assert.equal((await rejection(stage.clock.through(wrong))).code, "credentials");
  stage.service.offline = true;
  assert.equal((await rejection(stage.clock.through(session.signIn(ADA)))).code, "unavailable");
  assert.equal(session.state.status, "active");
});

test("signing out everywhere ends all sessions, and without a service it is over here", async () => {
  const stage = new Stage();
  const { session } = await stage.signedIn();
  await stage.clock.through(session.signOut({ everywhere: true }));
  assert.equal(stage.service.requests("/v1/sessions")[0]?.method, "DELETE");
  const other = await stage.signedIn();
  stage.service.offline = true;
  const error = await rejection(stage.clock.through(other.session.signOut()));
  assert.equal(error.code, "unavailable");
  assert.equal(other.session.state.status, "signed-out");
  assert.equal(await stage.record(), null);
});

test("a signed-out person is led to the sign-in, with the way back", async () => {
  const stage = new Stage();
  const went: string[] = [];
  const location = { href: "https://app.example/orders?x=1", assign: (url: string) => void went.push(url) };
  const { session } = await stage.signedIn({ loginUrl: "/login", environment: { location } });
  await stage.clock.through(session.signOut());
  assert.deepEqual(went, ["https://app.example/login?return_to=https%3A%2F%2Fapp.example%2Forders%3Fx%3D1"]);
});

test("nothing runs while nobody calls", async () => {
  const stage = new Stage();
  await stage.signedIn();
  assert.equal(stage.clock.timers.size, 0);
  const requests = stage.service.seen.length;
  await stage.clock.advance(86_400_000);
  assert.equal(stage.service.seen.length, requests);
});

test("an eager session renews by itself while it can be seen, and only then", async () => {
  const stage = new Stage();
  const { session, env, live } = await stage.signedIn({ refresh: "eager" });
  await stage.clock.advance(1_800_000);
  const visible = stage.service.requests(REFRESH).length;
  assert.ok(visible >= 3 && visible <= 4, String(visible));
  env.visible = false;
  live("hidden");
  assert.equal(stage.clock.timers.size, 0);
  await stage.clock.advance(3_600_000);
  assert.equal(stage.service.requests(REFRESH).length, visible);
  env.visible = true;
  live("visible");
  await stage.clock.advance(1000);
  assert.equal(stage.service.requests(REFRESH).length, visible + 1);
  assert.equal(session.state.status, "active");
  session.close();
  assert.equal(stage.clock.timers.size, 0);
});

test("configuration that cannot be is refused", () => {
  const stage = new Stage();
  const bad = [
    "http://id.example",
    "ftp://id.example",
    "https://a@id.example",
    "https://id.example?x",
    "https://id.example#x",
  ];
  for (const baseUrl of bad) assert.throws(() => stage.open({ baseUrl }), { code: "config" }, baseUrl);
  for (const baseUrl of ["http://127.0.0.1:1", "http://localhost", "http://[::1]:8080/auth/"]) stage.open({ baseUrl });
  stage.open({ baseUrl: "http://id.example", allowHttp: true });
  assert.throws(() => stage.open({ allowedOrigins: ["https://api.example/v1"] }), { code: "config" });
});

test("no error shows a token", async () => {
  const stage = new Stage();
  const { session } = await stage.expired();
  const { refresh_token = "-", access_token = "-" } = (await stage.record()) ?? {};
  stage.service.forever(REFRESH, { status: 400, json: { error: "invalid_client", error_description: refresh_token } });
  const error = await rejection(stage.clock.through(session.getAccessToken()));
  const { inspect } = await import("node:util");
  for (const shown of [
    inspect(error),
    inspect(session, { depth: 9 }),
    JSON.stringify(session),
    inspect(await stage.record()),
  ]) {
    assert.ok(!shown.includes(refresh_token) && !shown.includes(access_token), shown);
  }
  const store: TokenStore = stage.store;
  assert.ok(!inspect(store).includes(refresh_token));
});
