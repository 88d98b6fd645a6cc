// Tabs of a browser that share a cookie which none of them sees, ids in IndexedDB, locks and messages.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Environment, indexedDbStore, type SessionError } from "@daypass/client";
import { localStorageStore } from "@daypass/client/local-storage";
import { IDBFactory } from "fake-indexeddb";
import { flush } from "./support/clock.js";
import { API, SERVICE } from "./support/service.js";
import { ADA, Browser, gate, LOGOUT, REFRESH, Stage, type Tab, until } from "./support/stage.js";

type Channel = NonNullable<ReturnType<Environment["channel"]>>;

const code = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "it worked",
    (error: unknown) => (error as SessionError).code,
  );

/** Tabs of which the first has signed in, with tokens that have expired. */
async function tabs(stage: Stage, browser: Browser, count: number): Promise<Tab[]> {
  const first = await stage.signedIn({}, browser);
  const others = Array.from({ length: count - 1 }, () => stage.open({}, browser));
  await flush();
  for (const { session } of others) await stage.clock.through(session.getAccessToken());
  await stage.clock.advance(stage.service.lifetime * 1000);
  stage.service.seen.length = 0;
  return [first, ...others];
}

test("a new tab has the token of the one that is open, and no body or store has the refresh token", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const { session } = await stage.signedIn({}, browser);
  const { session: second } = stage.open({}, browser);
  await flush();
  assert.equal(await stage.clock.through(second.getAccessToken()), await session.getAccessToken());
  assert.equal(stage.service.requests(REFRESH).length, 0);
  assert.match(browser.jar.cookie ?? "", /^dpr/);
});

test("s09 ten tabs with one expired token make one rotation", async () => {
  const stage = new Stage();
  const all = await tabs(stage, new Browser(), 10);
  const tokens = await stage.clock.through(Promise.all(all.map(({ session }) => session.getAccessToken())));
  assert.equal(new Set(tokens).size, 1);
  assert.equal(stage.service.requests(REFRESH).length, 1);
});

test("s09 ten tabs that are opened at once after a restart make one rotation", async () => {
  const stage = new Stage();
  const browser = new Browser();
  (await stage.expired({}, browser)).session.close();
  const all = Array.from({ length: 10 }, () => stage.open({}, browser));
  await stage.clock.through(Promise.all(all.map(({ session }) => session.getAccessToken())));
  assert.equal(stage.service.requests(REFRESH).length, 1);
});

test("s10 without Web Locks there is one successor and nobody is signed out", async () => {
  const stage = new Stage();
  const browser = new Browser();
  Object.assign(browser, { locks: undefined });
  const all = await tabs(stage, browser, 10);
  await stage.clock.through(Promise.all(all.map(({ session }) => session.getAccessToken())));
  assert.deepEqual([stage.service.rotations, stage.service.reuses], [1, 0]);
  for (let i = 0; i < 5; i++) {
    await stage.clock.advance(600_000);
    await stage.clock.through(Promise.all(all.map(({ session }) => session.getAccessToken())));
  }
  assert.equal(stage.service.reuses, 0);
  assert.ok(all.every(({ session }) => session.state.status === "active"));
});

test("s11 others go on without a holder that is frozen, under the same id, and steal nothing", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const [frozen, other] = await tabs(stage, browser, 2);
  const held = gate();
  stage.service.next(REFRESH, { hold: held.opened });
  const stuck = frozen?.session.getAccessToken();
  await until(() => stage.service.requests(REFRESH).length === 1);
  const began = stage.clock.running;
  const token = other?.session.getAccessToken();
  await stage.clock.advance(5000);
  await token;
  assert.ok(stage.clock.running - began <= 5000);
  assert.deepEqual([stage.service.rotations, stage.service.repeats, stage.service.reuses], [1, 1, 0]);
  assert.equal(new Set(stage.service.attempts()).size, 1);
  assert.equal(browser.locks.stolen, 0);
  held.open();
  await stage.clock.through(Promise.all([stuck]));
});

test("a tab that has slept hears of older tokens first, and waits for the newest", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const { session: awake } = await stage.signedIn({}, browser);
  const missed: (() => void)[] = [];
  let sleeps = false;
  const channel = (name: string) => {
    const inner = browser.channel(name);
    const outer: Channel = { onmessage: null, postMessage: inner.postMessage, close: inner.close };
    inner.onmessage = (event) => {
      const hear = () => outer.onmessage?.(event);
      // The ids' own channel only says that there is something to be read.
      if (sleeps && event.data !== 0) missed.push(hear);
      else if (!sleeps) hear();
    };
    return outer;
  };
  const { session: sleeper } = stage.open({ environment: { channel } }, browser);
  await stage.clock.through(sleeper.getAccessToken());
  sleeps = true;
  for (let rotation = 1; rotation <= 2; rotation++) {
    await stage.clock.advance(stage.service.lifetime * 1000);
    await stage.clock.through(awake.getAccessToken());
  }
  const began = stage.clock.running;
  const token = sleeper.getAccessToken();
  // It has asked, and the answer comes after what it missed.
  await until(() => missed.length > 2);
  for (const hear of missed) {
    // Time enough to renew, for whoever is content with an older one.
    for (let i = 0; i < 20; i++) await flush();
    hear();
  }
  assert.equal(await token, await awake.getAccessToken(), "before anybody's patience is over");
  assert.equal(stage.clock.running, began);
  assert.equal(stage.service.rotations, 2);
});

test("a late answer of a tab that has slept takes the newest token from nobody", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const sleeper = browser.channel(`daypass:${SERVICE}`);
  let old: unknown;
  sleeper.onmessage = ({ data }) => {
    if ((data as { record?: object }).record) old ??= data;
  };
  const { session } = await stage.signedIn({}, browser);
  await until(() => old !== undefined);
  await stage.clock.advance(stage.service.lifetime * 1000);
  const token = await stage.clock.through(session.getAccessToken());
  await flush();
  sleeper.postMessage(old);
  await flush();
  const { session: next } = stage.open({}, browser);
  await flush();
  assert.equal(await stage.clock.through(next.getAccessToken()), token);
  assert.equal(stage.service.rotations, 1);
});

test("s12 a tab closed in mid-refresh: the next one repeats its attempt", async () => {
  for (const arrived of [true, false]) {
    const stage = new Stage();
    const browser = new Browser();
    const [tab] = await tabs(stage, browser, 1);
    const before = browser.jar.cookie;
    const held = gate();
    stage.service.next(REFRESH, { hold: held.opened });
    void tab?.session.getAccessToken().catch(() => undefined);
    await until(() => stage.service.rotations === 1);
    tab?.session.close();
    // Its lock ends with it; its answer may or may not have set the cookie.
    browser.locks.queues.clear();
    if (arrived) browser.jar.cookie = before?.replace(/0$/, "1");
    const { session } = stage.open({}, browser);
    await stage.clock.through(session.getAccessToken());
    assert.equal(stage.service.reuses, 0);
    assert.equal(session.state.status, "active");
  }
});

test("s12 a browser killed before its cookie was on disk comes back up to three rotations late", async () => {
  for (const late of [0, 1, 2, 3]) {
    const stage = new Stage();
    const browser = new Browser();
    const { session } = await stage.signedIn({}, browser);
    const cookies = [browser.jar.cookie];
    for (let i = 0; i < 6; i++) {
      await stage.clock.advance(600_000);
      await stage.clock.through(session.getAccessToken());
      cookies.unshift(browser.jar.cookie);
    }
    session.close();
    browser.jar.cookie = cookies[late];
    const { session: next } = stage.open({}, browser);
    for (let i = 0; i < 3; i++) {
      await stage.clock.through(next.getAccessToken());
      await stage.clock.advance(600_000);
    }
    assert.equal(stage.service.reuses, 0, String(late));
    assert.ok(stage.service.attempts().every((ids) => (ids?.split(", ").length ?? 0) <= 4));
  }
});

test("a cookie four rotations late is refused every time, and the session is not ended for it", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const { session } = await stage.signedIn({}, browser);
  const old = browser.jar.cookie;
  for (let i = 0; i < 5; i++) {
    await stage.clock.advance(600_000);
    await stage.clock.through(session.getAccessToken());
  }
  session.close();
  browser.jar.cookie = old;
  const { session: next } = stage.open({}, browser);
  assert.equal(await code(stage.clock.through(next.getAccessToken())), "protocol");
  assert.equal(stage.service.reuses, 0);
  await stage.clock.through(next.signIn(ADA));
  assert.equal(next.state.status, "active");
});

test("a page that knows nothing asks with what cookie there is, and learns the generation", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const { session } = await stage.signedIn({}, browser);
  for (let i = 0; i < 3; i++) {
    await stage.clock.advance(600_000);
    await stage.clock.through(session.getAccessToken());
  }
  session.close();
  browser.indexedDB = new IDBFactory();
  const { session: next } = stage.open({}, browser);
  await flush();
  assert.deepEqual(next.state, { status: "unknown" });
  await stage.clock.through(next.getAccessToken());
  assert.equal(next.state.status, "active");
  assert.equal(stage.service.reuses, 0);
  await stage.clock.advance(600_000);
  await stage.clock.through(next.getAccessToken());
  assert.equal(stage.service.rotations, 5);
});

test("a visitor without a cookie is signed out after one question, and asks no more", async () => {
  const stage = new Stage();
  const { session, events } = stage.open({}, new Browser());
  for (let i = 0; i < 5; i++) assert.equal(await code(stage.clock.through(session.getAccessToken())), "signed_out");
  assert.deepEqual(session.state, { status: "signed-out", reason: "not_signed_in" });
  assert.equal(stage.service.requests(REFRESH).length, 1);
  assert.deepEqual(events, []);
  await stage.clock.through(session.signIn(ADA));
  assert.equal(session.state.status, "active");
});

test("a cookie that is blocked is told by name, without a loop", async () => {
  const stage = new Stage();
  const browser = new Browser();
  browser.jar.blocked = true;
  const { session, events } = await stage.signedIn({}, browser);
  assert.equal((await stage.clock.through(session.fetch(`${API}/orders`))).status, 200);
  await stage.clock.advance(600_000);
  for (let i = 0; i < 5; i++) assert.equal(await code(stage.clock.through(session.getAccessToken())), "cookie_missing");
  assert.equal(stage.service.requests(REFRESH).length, 1);
  assert.deepEqual(events, [["signedout", { reason: "cookie_missing" }]]);
  // Loaded anew, the page asks once more: the cookie may be there again.
  const { session: next } = stage.open({}, browser);
  assert.equal(await code(stage.clock.through(next.getAccessToken())), "cookie_missing");
  browser.jar.blocked = false;
  await stage.clock.through(next.signIn(ADA));
  assert.equal(next.state.status, "active");
});

const forbidden = () => {
  throw new DOMException("denied", "SecurityError");
};

test("without IndexedDB no ids are sent", async () => {
  for (const how of ["absent", "forbidden", "declined"]) {
    const stage = new Stage();
    const browser = new Browser();
    browser.indexedDB = how === "forbidden" ? { open: forbidden } : undefined;
    const { session } = await stage.signedIn(how === "declined" ? { store: null } : {}, browser);
    for (let i = 0; i < 3; i++) {
      await stage.clock.advance(600_000);
      await stage.clock.through(session.getAccessToken());
    }
    assert.deepEqual(stage.service.attempts(), [null, null, null]);
  }
});

test("nothing in IndexedDB is of use without the cookie", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const { session } = await stage.expired({}, browser);
  const token = await stage.clock.through(session.getAccessToken());
  const store = indexedDbStore({ name: "https://id.example", environment: stage.environment(browser) });
  const kept = JSON.stringify(await store.load());
  assert.match(kept, /session-ada-0/);
  assert.ok(!kept.includes(token) && !kept.includes("dpr"), kept);
});

test("a sign-out in one tab is one in all", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const [first, second] = await tabs(stage, browser, 2);
  await stage.clock.through(second?.session.signOut() ?? Promise.resolve());
  await until(() => first?.session.state.status === "signed-out");
  assert.equal(stage.service.requests(LOGOUT)[0]?.headers.get("daypass-csrf"), "1");
  assert.equal(browser.jar.cookie, undefined);
  await stage.clock.through(first?.session.signIn({ username: "bob", password: "right" }) ?? Promise.resolve());
  await until(() => second?.session.state.status === "active");
  assert.match(await stage.clock.through(second?.session.getAccessToken() ?? Promise.resolve("")), /bob/);
});

test("s08 a sign-in waits for another tab's renewal, so that its cookie stays", async () => {
  const stage = new Stage();
  const browser = new Browser();
  const [first, second] = await tabs(stage, browser, 2);
  const held = gate();
  stage.service.next(REFRESH, { hold: held.opened });
  const renewal = first?.session.getAccessToken();
  await until(() => stage.service.rotations === 1);
  const signedIn = second?.session.signIn({ username: "bob", password: "right" });
  await flush();
  assert.equal(stage.service.requests("/v1/login").length, 0);
  held.open();
  await stage.clock.through(Promise.all([renewal, signedIn]));
  assert.match(browser.jar.cookie ?? "", /bob/);
  await stage.clock.advance(600_000);
  assert.match(await stage.clock.through(first?.session.getAccessToken() ?? Promise.resolve("")), /bob/);
});

for (const [kind, make] of [
  ["IndexedDB", (stage: Stage, browser: Browser) => indexedDbStore({ environment: stage.environment(browser) })],
  [
    "localStorage",
    (stage: Stage, browser: Browser) => {
      const items = new Map<string, string>();
      const localStorage = {
        getItem: (key: string) => items.get(key) ?? null,
        setItem: (key: string, value: string) => void items.set(key, value),
      };
      return localStorageStore({ environment: { ...stage.environment(browser), localStorage } });
    },
  ],
] as const) {
  test(`token transport on ${kind}: an exchange is atomic, and a session survives its page`, async () => {
    const stage = new Stage();
    const browser = new Browser();
    const store = make(stage, browser);
    const { version } = await store.load();
    const record = { service: "s", session_id: "x", generation: 0, attempts: [] };
    const all = await Promise.all(Array.from({ length: 10 }, () => store.compareExchange(version, record)));
    assert.equal(all.filter(({ done }) => done).length, 1);
    await store.compareExchange((await store.load()).version, null);
    stage.store = store;
    const { session } = await stage.expired();
    session.close();
    const { session: next } = stage.open();
    await stage.clock.through(next.getAccessToken());
    assert.deepEqual([next.state.status, stage.service.rotations], ["active", 1]);
  });
}

test("localStorage without Web Locks is not written", async () => {
  const stage = new Stage();
  const localStorage = { getItem: () => null, setItem: () => assert.fail("written") };
  stage.store = localStorageStore({ environment: { ...stage.environment(), localStorage } });
  const { session } = stage.open();
  assert.equal(await code(stage.clock.through(session.signIn(ADA))), "store");
});
