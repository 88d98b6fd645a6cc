// What real browsers do to pages: requests that are kept alive, pages that are frozen, storage that is cleared away.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSession, type SessionError } from "@daypass/client";
import { IDBFactory } from "fake-indexeddb";
import { flush } from "./support/clock.js";
import { API, SERVICE } from "./support/service.js";
import { ADA, Browser, LOGOUT, REFRESH, Stage, until } from "./support/stage.js";

/** Notes of each request to the service whether it outlives its page. */
function watched(stage: Stage, browser: Browser): { kept: [string, boolean][]; fetch: typeof fetch } {
  const kept: [string, boolean][] = [];
  const inner = stage.service.fetch(browser.jar);
  const watching: typeof fetch = (input, init) => {
    kept.push([new URL(String(input)).pathname, init?.keepalive === true]);
    return inner(input, init);
  };
  return { kept, fetch: watching };
}

test("a renewal that can be repeated under its id is not kept alive, so that it can be stopped", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const { kept, fetch } = watched(stage, browser);
  const { session } = await stage.expired({ environment: { fetch } }, browser);
  await stage.clock.through(session.getAccessToken());
  assert.deepEqual(kept.at(-1), ["/v1/refresh", false]);
});

test("a renewal without ids is kept alive, so that its cookie is", async () => {
  const stage = new Stage();
  const browser = new Browser();
  browser.indexedDB = undefined;
  const { kept, fetch } = watched(stage, browser);
  const { session } = await stage.expired({ environment: { fetch } }, browser);
  await stage.clock.through(session.getAccessToken());
  assert.deepEqual(kept.at(-1), ["/v1/refresh", true]);
});

test("a frozen page leaves the store alone, and looks once it is awake", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const first = await stage.signedIn({}, browser);
  const second = stage.open({}, browser);
  await flush();
  await stage.clock.through(second.session.getAccessToken());
  second.live("frozen");
  const { indexedDB } = browser;
  let opened = 0;
  const open = (indexedDB as IDBFactory).open.bind(indexedDB);
  await stage.clock.through(first.session.signOut());
  (indexedDB as IDBFactory).open = (...given) => {
    opened++;
    return open(...given);
  };
  await flush();
  assert.deepEqual([second.session.state.status, opened], ["active", 0]);
  second.live("online");
  await flush();
  assert.deepEqual([second.session.state.status, opened], ["signed-out", 1]);
});

test("a database that fails once does not make a page forget the ids that were sent", async () => {
  const stage = new Stage();
  const browser = new Browser();
  await stage.expired({}, browser);
  const factory = browser.indexedDB as IDBFactory;
  const open = factory.open.bind(factory);
  factory.open = () => {
    factory.open = open;
    throw new DOMException("internal error", "UnknownError");
  };
  const { session } = stage.open({}, browser);
  await stage.clock.through(session.getAccessToken().catch(() => session.getAccessToken()));
  const sent = stage.service.attempts();
  assert.ok(sent.length > 0 && sent.every((attempt) => attempt !== null), String(sent));
});

test("a sign-out that is tried again ends nobody who has signed in by another tab since", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const { session } = await stage.signedIn({}, browser);
  const other = stage.open({}, browser);
  stage.service.next(LOGOUT, { status: 503, headers: { "retry-after": "5" } });
  const out = session.signOut();
  await until(() => stage.service.requests(LOGOUT).length === 1);
  await flush();
  await other.session.signIn(ADA);
  await stage.clock.through(out);
  await stage.clock.through(other.session.getAccessToken());
  assert.equal(other.session.state.status, "active");
  assert.equal(stage.service.requests(LOGOUT).length, 1);
});

test("a store that was cleared away under an open page is no sign-out: the cookie goes on", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const tab = await stage.expired({}, browser);
  // As a database is that somebody has deleted: the next one to open it makes it anew.
  Object.assign(browser.indexedDB as object, new IDBFactory());
  await stage.clock.through(tab.session.getAccessToken());
  assert.equal(tab.session.state.status, "active");
  assert.deepEqual([stage.service.rotations, stage.service.reuses], [1, 0]);
  assert.ok(!tab.events.some(([name]) => name === "signedout"));
});

test("a store and a cookie that were cleared away after an id was sent: signed out, after one more request", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const tab = await stage.expired({}, browser);
  stage.service.next(REFRESH, "lose-request");
  const asked = tab.session.getAccessToken().catch((error: SessionError) => error.code);
  await until(() => stage.service.requests(REFRESH).length === 1);
  Object.assign(browser.indexedDB as object, new IDBFactory());
  browser.jar.cookie = undefined;
  assert.equal(await stage.clock.through(asked), "cookie_missing");
  assert.ok(stage.service.requests(REFRESH).length <= 3);
});

test("where merely looking at storage is forbidden a session is made all the same, and sends no ids", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const forbidden = {
    get indexedDB(): never {
      throw new DOMException("no", "SecurityError");
    },
  };
  const { kept, fetch } = watched(stage, browser);
  const environment = Object.defineProperties({ fetch }, Object.getOwnPropertyDescriptors(forbidden));
  const whole = Object.defineProperties(stage.environment(browser), Object.getOwnPropertyDescriptors(environment));
  const session = createSession({ baseUrl: SERVICE, allowedOrigins: [API], transport: "cookie", environment: whole });
  await stage.clock.through(session.signIn(ADA));
  await stage.clock.advance(stage.service.lifetime * 1000);
  await stage.clock.through(session.getAccessToken());
  assert.deepEqual(kept.at(-1), ["/v1/refresh", true]);
});
