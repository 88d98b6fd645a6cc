// Scenarios of one page: many calls and one renewal, whoever waits, gives up, signs out or signs in meanwhile.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import type { Profile, Tab } from "../src/harness/profile.js";
import { holdAnswer, REFRESH } from "../src/harness/proxy.js";
import { COOKIE, INDEXED, SHARED, type Way } from "../src/harness/transports.js";
import { Gate, until } from "../src/harness/until.js";
import { type Count, World } from "../src/harness/world.js";

let world: World;
before(async () => (world = await World.open()));
after(() => world.close());

/** A page of Ada's, signed in, and what happens from then on. */
async function signedIn(way: Way): Promise<{ profile: Profile; tab: Tab; count: Count; first: string }> {
  const profile = await world.profile();
  const tab = await profile.open(way.session);
  await tab.signIn();
  const { token } = await tab.token();
  assert.ok(token);
  return { profile, tab, count: await world.count(), first: token };
}

const ONE = { rotated: 1 };

for (const way of SHARED) {
  describe(way.name, () => {
    test("scenario 1: 100 concurrent calls, access token expired: 1 refresh, 100 answers", async () => {
      const { profile, tab, count } = await signedIn(way);
      await profile.expire();
      const made = await tab.calls(100);
      assert.deepEqual(
        made.map(({ status }) => status),
        Array(100).fill(200),
      );
      assert.deepEqual(await count.outcomes(), ONE);
      assert.equal(count.requests(REFRESH), 1);
      assert.equal(count.calls.length, 100);
      await profile.close();
    });

    test("scenario 2: 100 concurrent 401s: 1 refresh, each call replayed once", async () => {
      const { profile, tab, count, first } = await signedIn(way);
      await profile.age();
      world.api.refuse(first);
      const made = await tab.calls(100);
      assert.deepEqual(
        made.map(({ status }) => status),
        Array(100).fill(200),
      );
      assert.deepEqual(await count.outcomes(), ONE);
      assert.equal(count.requests(REFRESH), 1);
      const refused = count.calls.filter(({ status }) => status === 401).length;
      assert.deepEqual([refused, count.calls.length], [100, 200]);
      await profile.close();
    });

    test("scenario 3: a late 401 for token 1 while token 2 is current: replay, no refresh", async () => {
      const { profile, tab, count, first } = await signedIn(way);
      const gate = new Gate();
      world.api.hold(gate);
      const late = tab.call();
      await gate.arrived("the call with token 1 is under way");
      await profile.expire();
      const { token: second } = await tab.token();
      assert.notEqual(second, first);
      assert.deepEqual(await count.outcomes(), ONE);
      await profile.age();
      world.api.refuse(first);
      gate.open();
      assert.equal((await late).status, 200);
      assert.deepEqual(
        count.calls.map(({ status }) => status),
        [401, 200],
      );
      assert.deepEqual(await count.outcomes(), ONE, "nothing was refreshed");
      await profile.close();
    });

    test("scenario 5: a caller gives up after the request left: the new pair is kept", async () => {
      const { profile, tab, count } = await signedIn(way);
      await profile.expire();
      const gate = new Gate();
      world.proxy.next(REFRESH, holdAnswer(gate));
      const given = tab.run(async () => {
        const stop = new AbortController();
        document.addEventListener("give-up", () => stop.abort());
        return globalThis.app.token({ signal: stop.signal });
      }, undefined);
      await gate.arrived("the refresh has been carried out");
      await tab.run(() => document.dispatchEvent(new Event("give-up")), undefined);
      assert.equal((await given).error, "AbortError");
      gate.open();
      assert.ok((await tab.token()).token);
      assert.deepEqual(await count.outcomes(), ONE);
      assert.equal(count.requests(REFRESH), 1, "nobody had to ask again");
      // A page that knows nothing but what was kept goes on from there.
      await tab.close();
      const other = await profile.open(way.session);
      await profile.expire();
      assert.equal((await other.call()).status, 200);
      assert.deepEqual(await count.outcomes(), { rotated: 2 });
      await profile.close();
    });

    test("scenario 6: an event handler that calls the client: no deadlock", async () => {
      const { profile, tab, count } = await signedIn(way);
      await tab.run((url) => {
        globalThis.app.onEvent((name) => {
          if (name === "refreshed")
            void globalThis.app.call(url, {}).then(() => document.body.setAttribute("called", ""));
        });
      }, `${world.api.url}/from-a-handler`);
      await profile.expire();
      assert.equal((await tab.call()).status, 200);
      await until("the handler has its answer", () => tab.run(() => document.body.hasAttribute("called"), undefined));
      assert.deepEqual(await count.outcomes(), ONE);
      await profile.close();
    });

    test("scenario 7: sign-out in mid-refresh: the pair is discarded and revoked, one event", async () => {
      const { profile, tab, count } = await signedIn(way);
      const alive = await world.service.sessions("ada");
      await profile.expire();
      const gate = new Gate();
      world.proxy.next(REFRESH, holdAnswer(gate));
      const call = tab.call();
      await gate.arrived("the refresh has been carried out");
      const out = await tab.signOut();
      gate.open();
      assert.equal(out.error, undefined);
      assert.equal((await call).error, "signed_out");
      assert.deepEqual(
        (await tab.told()).events.filter((event) => event === "signedout"),
        ["signedout"],
      );
      assert.equal((await tab.told()).state, "signed-out");
      assert.deepEqual(await count.outcomes(), ONE);
      await until(
        "the session is over at the service",
        async () => (await world.service.sessions("ada")) === alive - 1,
      );
      assert.equal((await tab.call()).error, "signed_out");
      await tab.page.reload();
      await tab.start();
      assert.ok(["signed_out", "cookie_missing"].includes((await tab.call()).error ?? ""), "also after a reload");
      await profile.close();
    });

    test("scenario 8: sign-in as B during A's refresh: B stays", async () => {
      const { profile, tab } = await signedIn(way);
      const ada = (await tab.call()).body;
      await profile.expire();
      const gate = new Gate();
      world.proxy.next(REFRESH, holdAnswer(gate));
      const call = tab.call();
      await gate.arrived("A's refresh has been carried out");
      await tab.signIn("ben");
      gate.open();
      const late = await call;
      const ben = (await tab.call()).body;
      assert.notEqual(ben, ada);
      assert.deepEqual([late.status ?? late.error, late.body], [200, ben], "who waited goes on as B");
      await profile.expire();
      assert.equal((await tab.call()).body, ben, "also after a refresh");
      await tab.page.reload();
      await tab.start();
      assert.equal((await tab.call()).body, ben, "also in a new page");
      assert.equal((await tab.told()).events.filter((event) => event === "signedout").length, 0);
      await profile.close();
    });

    test("scenario 22: an API that always answers 401: 1 refresh, 1 replay, no loop", async () => {
      const { profile, tab, count } = await signedIn(way);
      await profile.age();
      world.api.refusesAll = true;
      assert.equal((await tab.call()).status, 401);
      assert.deepEqual(await count.outcomes(), ONE);
      assert.equal(count.calls.length, 2);
      // The new token is too young to be at fault.
      assert.equal((await tab.call()).status, 401);
      assert.deepEqual(await count.outcomes(), ONE);
      assert.equal(count.calls.length, 3);
      await profile.close();
    });
  });
}

for (const way of [{ ...COOKIE, session: { ...COOKIE.session, store: "indexedDB" as const } }, INDEXED]) {
  test(`scenario 4: a caller arriving between response and persist never reads the old refresh token (${way.name})`, async () => {
    const { profile, tab, count } = await signedIn(way);
    await profile.expire();
    await tab.run(() => globalThis.app.holdStore(1), undefined);
    const early = tab.token();
    await until("the answer waits to be written", () => tab.run(() => globalThis.app.storeHolds(), undefined));
    assert.deepEqual(await count.outcomes(), ONE);
    const between = [tab.token(), tab.token()];
    await tab.run(() => globalThis.app.releaseStore(), undefined);
    const tokens = (await Promise.all([early, ...between])).map(({ token }) => token);
    assert.equal(new Set(tokens).size, 1);
    assert.ok(tokens[0]);
    assert.deepEqual(await count.outcomes(), ONE);
    assert.equal(count.requests(REFRESH), 1);
    await profile.close();
  });
}
