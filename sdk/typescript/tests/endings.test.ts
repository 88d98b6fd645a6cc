// What ends a session and what does not; states, sign-ins and sign-outs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore, type TokenStore } from "@daypass/client";
import { flush } from "./support/clock.js";
import { rejection } from "./support/outcome.js";
import { ADA, Browser, gate, LOGOUT, REFRESH, Stage, until } from "./support/stage.js";

test("the store is read again just before sending: whoever waited for the lock finds what was renewed", async () => {
  const stage = new Stage();
  const inner = memoryStore();
  let before = Promise.resolve();
  stage.store = {
    ...inner,
    lock: async () => {
      const { opened, open } = gate();
      const mine = before;
      before = opened;
      await mine;
      return open;
    },
  };
  const { session } = await stage.expired();
  const { session: another } = stage.open();
  await flush();
  const held = gate();
  stage.service.next(REFRESH, { hold: held.opened });
  const first = session.getAccessToken();
  await until(() => stage.service.rotations === 1);
  const second = another.getAccessToken();
  await flush();
  held.open();
  assert.equal(await stage.clock.through(first), await stage.clock.through(second));
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

test("a cookie newer than its ids: the tab that has just renewed is given a moment to write", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const { session } = await stage.expired({}, browser);
  const row = stage.service.rows.get("session-ada-0");
  assert.ok(row && browser.jar.cookie);
  // Another tab's renewal: its cookie is here.
  row.generation = 1;
  browser.jar.cookie = "dpr/session-ada-0/1";
  await stage.clock.through(session.getAccessToken());
  assert.deepEqual(
    stage.service.attempts().map((ids) => ids?.split(":")[0]),
    ["0", "0", "1"],
    "it asks under the old id once more before it makes a new one",
  );
});

test("what another tab writes while a mismatch waits is taken over, and nothing is rotated twice", async () => {
  const stage = new Stage();
  const browser = new Browser();
  Object.assign(browser, { locks: undefined });
  const { session: early } = await stage.signedIn({}, browser);
  const { session: late } = stage.open({}, browser);
  await stage.clock.through(late.getAccessToken());
  await stage.clock.advance(stage.service.lifetime * 1000);
  // The other tab's cookie is in the jar, and its record not yet in the store.
  stage.service.next(REFRESH, { status: 409, json: { error: "mismatch", generation: 1 } });
  const waiting = late.getAccessToken();
  await until(() => stage.service.requests(REFRESH).length === 1);
  const token = await stage.clock.through(early.getAccessToken());
  assert.equal(await stage.clock.through(waiting), token);
  assert.deepEqual([stage.service.requests(REFRESH).length, stage.service.rotations], [2, 1]);
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

test("signing out everywhere is a sign-out here at once", async () => {
  const stage = new Stage();
  const { session } = await stage.signedIn();
  const held = gate();
  stage.service.next("/v1/sessions", { hold: held.opened });
  const out = stage.clock.through(session.signOut({ everywhere: true }));
  await until(() => stage.service.requests("/v1/sessions").length === 1);
  assert.equal(session.state.status, "signed-out");
  assert.equal(await stage.record(), null);
  held.open();
  await out;
});

test("signing out everywhere is insisted on, and what could not be done is not called done", async () => {
  const stage = new Stage();
  const { session } = await stage.signedIn();
  stage.service.next("/v1/sessions", { status: 503 }, "lose-answer");
  await stage.clock.through(session.signOut({ everywhere: true }));
  assert.equal(stage.service.requests("/v1/sessions").length, 3);
  const other = (await stage.expired()).session;
  stage.service.offline = true;
  const out = rejection(stage.clock.through(other.signOut({ everywhere: true })));
  assert.equal((await out).code, "unavailable");
  assert.equal(other.state.status, "signed-out");
  assert.equal(await stage.record(), null);
  stage.service.offline = false;
  const again = rejection(stage.clock.through(other.signOut({ everywhere: true })));
  assert.equal((await again).code, "signed_out");
});

test("a signed-out person is led to the sign-in, with the way back", async () => {
  const stage = new Stage();
  const went: string[] = [];
  const location = { href: "https://app.example/orders?x=1", assign: (url: string) => void went.push(url) };
  const { session } = await stage.signedIn({ loginUrl: "/login", environment: { location } });
  await stage.clock.through(session.signOut());
  assert.deepEqual(went, ["https://app.example/login?return_to=https%3A%2F%2Fapp.example%2Forders%3Fx%3D1"]);
});

test("nobody is led away before the service has heard of the sign-out", async () => {
  const stage = new Stage();
  let asked = -1;
  const location = {
    href: "https://app.example/orders",
    assign: () => {
      asked = stage.service.requests(LOGOUT).length;
    },
  };
  const { session } = await stage.signedIn({ loginUrl: "/login", environment: { location } });
  stage.service.next(LOGOUT, { status: 503 });
  await stage.clock.through(session.signOut());
  await flush();
  assert.equal(asked, 2);
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
  assert.throws(() => stage.open({ baseUrl: "/id" }), { code: "config" }, "relative to nothing");
  const noOrigins = { allowedOrigins: undefined } as unknown as { allowedOrigins: string[] };
  assert.throws(() => stage.open(noOrigins), { code: "config" });
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
