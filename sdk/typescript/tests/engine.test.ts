// One renewal for all, and what is written when.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "@daypass/client";
import { flush } from "./support/clock.js";
import { names, rejection } from "./support/outcome.js";
import { API } from "./support/service.js";
import { failing, gate, hanging, REFRESH, Stage, until } from "./support/stage.js";

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

test("a store that never ends a call has failed, and the session is kept", async () => {
  for (const hangs of ["load", "compareExchange"] as const) {
    const stage = new Stage();
    const store = hanging(stage.store);
    stage.store = store;
    const { session, events } = await stage.expired();
    store.hangs = hangs;
    const error = await rejection(stage.clock.through(session.getAccessToken()));
    assert.deepEqual([error.code, error.isTemporary(), error.isSignedOut()], ["store", true, false], hangs);
    assert.equal(stage.service.requests(REFRESH).length, 0, hangs);
    store.hangs = undefined;
    await stage.clock.through(session.getAccessToken());
    assert.deepEqual([stage.service.rotations, stage.service.reuses], [1, 0], hangs);
    assert.ok(!names(events).includes("signedout"), hangs);
  }
});

test("an id that a hanging store has written after all is the one that is sent", async () => {
  const stage = new Stage();
  const store = hanging(stage.store);
  stage.store = store;
  const { session } = await stage.expired();
  store.hangs = "compareExchange";
  store.late = true;
  await rejection(stage.clock.through(session.getAccessToken()));
  const written = (await stage.record())?.attempts[0]?.id;
  assert.ok(written);
  store.hangs = undefined;
  await stage.clock.through(session.getAccessToken());
  assert.deepEqual(stage.service.attempts(), [`0:${written}`]);
});

test("s15 a store that hangs after a rotation keeps nobody from the new token, and has it in the end", async () => {
  for (const late of [false, true]) {
    const stage = new Stage();
    const store = hanging(stage.store);
    stage.store = store;
    const { session, events } = await stage.expired();
    const held = gate();
    stage.service.next(REFRESH, { hold: held.opened });
    const call = session.getAccessToken();
    await until(() => stage.service.rotations === 1);
    store.hangs = "compareExchange";
    store.late = late;
    held.open();
    await stage.clock.through(call);
    assert.deepEqual(names(events), ["persistfailed", "refreshed"]);
    store.hangs = undefined;
    await stage.clock.advance(600_000);
    await stage.clock.through(session.getAccessToken());
    assert.ok(names(events).includes("persisted"));
    assert.deepEqual([stage.service.rotations, stage.service.reuses], [2, 0]);
    assert.equal((await stage.record())?.generation, 2);
  }
});

test("signing out does not wait forever for a store that hangs", async () => {
  const stage = new Stage();
  const store = hanging(stage.store);
  stage.store = store;
  const { session } = await stage.signedIn();
  store.hangs = "load";
  const error = await rejection(stage.clock.through(session.signOut()));
  assert.deepEqual([error.code, session.state.status], ["store", "signed-out"]);
  assert.equal([...stage.service.rows.values()][0]?.ended, "revoked");
});

test("a suspension during a call to the store is no fault of the store's", async () => {
  const stage = new Stage();
  const asked = gate();
  const inner = stage.store;
  let slow = false;
  stage.store = {
    ...inner,
    load: async () => {
      if (slow) await asked.opened;
      return inner.load();
    },
  };
  const { session } = await stage.expired();
  slow = true;
  const call = session.getAccessToken();
  await flush();
  stage.clock.suspend(60_000, true);
  await stage.clock.advance(0);
  asked.open();
  await stage.clock.through(call);
  assert.equal(stage.service.rotations, 1);
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
