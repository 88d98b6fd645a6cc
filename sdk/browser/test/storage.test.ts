// Browsers that keep less than others: without cookies, without IndexedDB, cleared, across sites, under a strict policy.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, describe, test } from "node:test";

import { listen } from "../src/harness/listen.js";
import type { Profile, Tab } from "../src/harness/profile.js";
import { REFRESH } from "../src/harness/proxy.js";
import { COOKIE, INDEXED, LOCAL, MEMORY, SHARED } from "../src/harness/transports.js";
import { World } from "../src/harness/world.js";

let world: World;
before(async () => (world = await World.open()));
after(() => world.close());

/** Calls often, is answered the same each time, and sends next to nothing. */
async function reportsClearly(tab: Tab, profile: Profile, code: string): Promise<string> {
  const count = await world.count();
  await profile.expire();
  const made = await Promise.all(Array.from({ length: 20 }, () => tab.call()));
  assert.deepEqual(new Set(made.map(({ error }) => error)), new Set([code]));
  for (let i = 0; i < 5; i++) {
    await profile.expire();
    assert.equal((await tab.call()).error, code);
  }
  assert.ok(count.requests(REFRESH) <= 2, `${count.requests(REFRESH)} requests`);
  assert.equal((await tab.told()).state, "signed-out");
  return made[0]?.message ?? "";
}

async function worksOn(tab: Tab, profile: Profile, rounds = 2): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    const count = await world.count();
    await profile.expire();
    assert.equal((await tab.call()).status, 200);
    const { rotated = 0, repeated: _, mismatch: __, ...refused } = await count.outcomes();
    assert.deepEqual([rotated, refused], [1, {}]);
  }
  assert.equal(await world.service.alarms(), 0);
}

/** A profile whose settings a person has changed. */
function settings(name: string, profile: object): string {
  world.reset();
  const folder = world.folder(name);
  mkdirSync(path.join(folder, "Default"), { recursive: true });
  writeFileSync(path.join(folder, "Default/Preferences"), JSON.stringify({ profile }));
  return folder;
}

describe("cookies are blocked", () => {
  test("the client says so, and does not storm; the token transport in memory works", async () => {
    const { profile } = await world.browser(settings("blocked", { default_content_setting_values: { cookies: 2 } }));
    const tab = await profile.open(COOKIE.session);
    await tab.signIn();
    assert.equal((await tab.call()).status, 200, "the first token came in the body");
    const message = await reportsClearly(tab, profile, "cookie_missing");
    assert.match(message, /cookie/);
    const other = await profile.open(MEMORY.session);
    await other.signIn();
    await worksOn(other, profile);
    await profile.close();
  });
});

/** A server of another site than the page's, whose cookie is for all sites: what comes back of it. */
async function comesBack(tab: Tab, origin: string): Promise<string> {
  const server = await listen(
    createServer(({ headers }, response) => {
      response.writeHead(200, {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Set-Cookie": "control=1; SameSite=None; Secure",
      });
      response.end(headers.cookie ?? "nothing");
    }),
  );
  try {
    return await tab.run(async (url) => {
      const ask = async () => (await fetch(url, { credentials: "include" })).text();
      await ask();
      return ask();
    }, `http://localhost:${server.port}`);
  } finally {
    await server.close();
  }
}

describe("page and service on different sites", () => {
  for (const [name, preferences, control] of [
    // Debian's Chromium blocks them unless it is told otherwise.
    ["third-party cookies allowed", { cookie_controls_mode: 0 }, "control=1"],
    ["third-party cookies blocked", { cookie_controls_mode: 1 }, "nothing"],
  ] as const) {
    test(`${name}: by cookie the client says so and does not storm; the token transport works`, async () => {
      const { profile } = await world.browser(settings(`sites ${name}`, preferences));
      const origin = world.pages.foreignOrigin;
      const tab = await profile.open({ ...COOKIE.session, origin });
      assert.equal(await comesBack(tab, origin), control, "of a cookie that is for all sites");
      await tab.signIn();
      const message = await reportsClearly(tab, profile, "cookie_missing");
      assert.match(message, /site/);
      await tab.close();
      for (const way of [INDEXED, LOCAL]) {
        const other = await profile.open({ ...way.session, origin });
        await other.signIn();
        await worksOn(other, profile);
      }
      await profile.close();
    });
  }

  test("third-party cookies blocked, page and service on one site: the cookie is first-party", async () => {
    const { profile } = await world.browser(settings("one site", { cookie_controls_mode: 1 }));
    const tab = await profile.open(COOKIE.session);
    await tab.signIn();
    await worksOn(tab, profile);
    await profile.close();
  });
});

describe("storage is cleared", () => {
  /** Clears what the page's or the service's origin keeps. */
  async function clear(tab: Tab, origin: string, storageTypes: string): Promise<void> {
    const session = await tab.page.context().newCDPSession(tab.page);
    await session.send("Storage.clearDataForOrigin", { origin, storageTypes });
    await session.detach();
  }

  test("with the cookie: signed out, and told so in every tab, without a storm", async () => {
    const profile = await world.profile();
    const tab = await profile.open(COOKIE.session);
    await tab.signIn();
    const other = await profile.open(COOKIE.session);
    assert.ok((await other.token()).token);
    await clear(tab, world.pages.origin, "all");
    await profile.context.clearCookies();
    const count = await world.count();
    await profile.expire();
    for (const each of [tab, other]) {
      const { error = "" } = await each.call();
      assert.ok(["cookie_missing", "signed_out"].includes(error), error);
      assert.equal((await each.told()).state, "signed-out");
    }
    assert.ok(count.requests(REFRESH) <= 2);
    await tab.signIn();
    await worksOn(tab, profile);
    assert.equal((await other.call()).status, 200, "the other tab is signed in as well");
    await profile.close();
  });

  test("IndexedDB only, as browsers evict it after a week: the cookie goes on in a new page", async () => {
    const profile = await world.profile();
    const tab = await profile.open(COOKIE.session);
    await tab.signIn();
    await worksOn(tab, profile);
    const bare = await profile.open({ bare: true });
    await tab.close();
    await clear(bare, world.pages.origin, "indexeddb");
    const next = await profile.open(COOKIE.session);
    assert.equal((await next.call()).status, 200);
    await worksOn(next, profile);
    await profile.close();
  });

  test("IndexedDB only, under an open page: the cookie goes on", async () => {
    const profile = await world.profile();
    const tab = await profile.open(COOKIE.session);
    await tab.signIn();
    await worksOn(tab, profile);
    await clear(tab, world.pages.origin, "indexeddb");
    await worksOn(tab, profile, 1);
    await profile.close();
  });
});

describe("IndexedDB is unavailable", () => {
  const kinds: [string, () => void][] = [
    ["it is not there", () => Object.defineProperty(globalThis, "indexedDB", { value: undefined })],
    [
      "looking at it is forbidden",
      () =>
        Object.defineProperty(globalThis, "indexedDB", {
          get() {
            throw new DOMException("no", "SecurityError");
          },
        }),
    ],
    [
      "it does not open",
      () => {
        IDBFactory.prototype.open = () => {
          throw new DOMException("no", "InvalidStateError");
        };
      },
    ],
  ];
  for (const [name, spoil] of kinds) {
    test(`${name}: by cookie no ids are sent, and all goes on`, async () => {
      const profile = await world.profile();
      await profile.context.addInitScript(spoil);
      const tab = await profile.open(COOKIE.session);
      await tab.signIn();
      const count = await world.count();
      await worksOn(tab, profile);
      assert.deepEqual(new Set(count.seen(REFRESH).map(({ attempt }) => attempt)), new Set([undefined]));
      // Tabs take turns by the lock, and tell each other.
      const others = await profile.openAll(3, COOKIE.session);
      for (const other of others) assert.equal((await other.call()).status, 200);
      await profile.expire();
      const made = await Promise.all([tab, ...others].map((each) => each.call()));
      assert.deepEqual(
        made.map(({ status, error }) => status ?? error),
        [200, 200, 200, 200],
      );
      assert.equal(await world.service.alarms(), 0);
      await profile.close();
    });
  }
});

describe("a page under a strict content security policy", () => {
  for (const way of SHARED) {
    test(way.name, async () => {
      const profile = await world.profile();
      const tab = await profile.open({ ...way.session, path: "/strict" });
      await tab.signIn();
      await worksOn(tab, profile);
      await profile.close();
    });
  }
});
