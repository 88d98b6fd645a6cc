// The harness itself: that what the other tests rely on is so in this browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { freeze } from "../src/harness/browser.js";
import type { Tab } from "../src/harness/profile.js";
import { cutAnswer, holdRequest, instead, loseAnswer, loseRequest, REFRESH } from "../src/harness/proxy.js";
import { PASSWORD } from "../src/harness/service.js";
import { Gate, until } from "../src/harness/until.js";
import { World } from "../src/harness/world.js";

let world: World;
before(async () => (world = await World.open()));
after(() => world.close());

/** Signs in and refreshes with nothing but `fetch`, so that nothing here depends on the client. */
async function send(
  tab: Tab,
  path: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  return tab.run(
    async ([url, body, headers]) => {
      const init = {
        method: "POST",
        credentials: "include" as const,
        body,
        headers: { "content-type": "application/json", "daypass-csrf": "1", ...headers },
      };
      const answer = await fetch(url, init).catch(() => undefined);
      return { status: answer?.status ?? 0, text: (await answer?.text().catch(() => "cut")) ?? "" };
    },
    [world.proxy.url + path, JSON.stringify(body), headers] as const,
  );
}

const signIn = (tab: Tab): ReturnType<typeof send> =>
  send(tab, "/v1/login", { username: "ada", password: PASSWORD, transport: "cookie" });
const refresh = (tab: Tab): ReturnType<typeof send> => send(tab, "/v1/refresh", {});

test("the cookie goes to the service on another origin of the same site, and to no other site", async () => {
  const profile = await world.profile();
  const tab = await profile.open({ bare: true });
  const count = await world.count();
  assert.equal((await signIn(tab)).status, 200);
  assert.equal((await refresh(tab)).status, 200);
  assert.deepEqual(await count.outcomes(), { rotated: 1 });
  const cookies = await profile.context.cookies(world.proxy.url);
  assert.deepEqual(
    cookies.map(({ name, httpOnly, secure, sameSite }) => ({ name, httpOnly, secure, sameSite })),
    [{ name: "__Host-Http-daypass", httpOnly: true, secure: true, sameSite: "Strict" }],
  );
  const foreign = await profile.open({ bare: true, origin: world.pages.foreignOrigin });
  assert.equal((await refresh(foreign)).status, 400, "no cookie came along");
  assert.equal(world.proxy.seen.at(-1)?.byCookie, false);
  await profile.close();
});

test("faults do what they say", async () => {
  const profile = await world.profile();
  const tab = await profile.open({ bare: true });
  await signIn(tab);
  const count = await world.count();
  world.proxy.next(REFRESH, loseRequest);
  world.proxy.next(REFRESH, loseAnswer);
  world.proxy.next(REFRESH, cutAnswer);
  world.proxy.next(REFRESH, instead(503, { cors: true }));
  world.proxy.next(REFRESH, instead(503));
  assert.equal((await refresh(tab)).status, 0, "the request is lost");
  assert.deepEqual(await count.outcomes(), {});
  assert.equal((await refresh(tab)).status, 0, "the answer is lost");
  assert.deepEqual(await count.outcomes(), { rotated: 1 });
  assert.deepEqual(await refresh(tab), { status: 200, text: "cut" });
  assert.deepEqual(await count.outcomes(), { rotated: 1, repeated: 1 });
  assert.equal((await refresh(tab)).status, 503);
  assert.equal((await refresh(tab)).status, 0, "unreadable for the page");
  const gate = new Gate();
  world.proxy.next(REFRESH, holdRequest(gate));
  const held = refresh(tab);
  await gate.arrived();
  assert.deepEqual(await count.outcomes(), { rotated: 1, repeated: 1 });
  gate.open();
  assert.equal((await held).status, 200);
  assert.deepEqual(
    world.proxy.seen
      .filter((seen) => seen.what === REFRESH)
      .slice(-6)
      .map((seen) => seen.generation),
    [0, 0, 0, 1, 1, 1],
  );
  await profile.close();
});

test("tabs in the background are hidden, and a frozen one runs nothing", async () => {
  const { profile } = await world.browser();
  const back = await profile.open({ bare: true });
  await profile.open({ bare: true });
  const [front, other] = [
    await profile.open({ bare: true, window: true }),
    await profile.open({ bare: true, window: true }),
  ];
  const visibility = (tab: Tab): Promise<string> => tab.run(() => document.visibilityState, undefined);
  await until("the tab behind is hidden", async () => (await visibility(back)) === "hidden");
  for (const window of [front, other]) assert.equal(await visibility(window), "visible");
  const frozen = await freeze(back.page);
  const ran = "ran";
  await back.run((ran) => void setTimeout(() => document.body.setAttribute(ran, ""), 0), ran);
  // Meanwhile the timers of another tab take many turns.
  await front.run(async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  }, undefined);
  assert.equal(await back.run((ran) => document.body.hasAttribute(ran), ran), false);
  await frozen.thaw();
  await until("the timer runs once the tab is thawed", () => back.run((ran) => document.body.hasAttribute(ran), ran));
  await profile.close();
});

test("clocks of pages can be put forward", async () => {
  const profile = await world.profile();
  const tab = await profile.open({ bare: true });
  const ahead = (of: Tab): Promise<number> => of.run((now) => Date.now() - now, Date.now());
  assert.ok((await ahead(tab)) < 60_000);
  await profile.putForward(3_600_000);
  const other = await profile.open({ bare: true });
  for (const each of [tab, other]) assert.ok((await ahead(each)) >= 3_600_000 - 1000);
  await profile.close();
});

test("tokens are refused only by an API that was told so", async () => {
  const profile = await world.profile();
  const tab = await profile.open({ bare: true });
  const { access_token: token } = JSON.parse((await signIn(tab)).text) as { access_token: string };
  const call = (): Promise<number> =>
    fetch(`${world.api.url}/hello`, { headers: { authorization: `Bearer ${token}` } }).then((answer) => answer.status);
  assert.equal(await call(), 200);
  world.api.refuse(token);
  assert.equal(await call(), 401);
  assert.equal((await fetch(`${world.api.url}/hello`)).status, 401);
  await profile.close();
});
