// A page that follows its session with `@daypass/client/react`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Profile, Tab } from "../src/harness/profile.js";
import { PASSWORD } from "../src/harness/service.js";
import { until } from "../src/harness/until.js";
import { World } from "../src/harness/world.js";

let world: World;
before(async () => (world = await World.open()));
after(() => world.close());

function open(profile: Profile): Promise<Tab> {
  const query = new URLSearchParams({ service: world.proxy.url, api: world.api.url, name: "ada", password: PASSWORD });
  return profile.open({ path: `/react?${query}`, bare: true });
}

async function shows(tab: Tab, state: string): Promise<number> {
  const seen = await until(`the page shows ${state}`, () =>
    tab.run((state) => document.querySelector<HTMLElement>(`#person[data-state="${state}"]`)?.dataset["drawn"], state),
  );
  return Number(seen);
}

const press = (tab: Tab, button: string): Promise<void> => tab.page.click(`#${button}`);

test("signing in is drawn, a renewal too, and a sign-out in another tab is seen", async () => {
  const profile = await world.profile();
  const tab = await open(profile);
  await shows(tab, "unknown");
  await press(tab, "sign-in");
  const signedIn = await shows(tab, "active");
  const other = await open(profile);
  await press(other, "call");
  await shows(other, "active");
  await profile.expire();
  // Nobody looks at an expired token until somebody calls.
  const count = await world.count();
  await press(tab, "call");
  await until("the call is answered", async () => (await tab.page.title()) === "200");
  assert.deepEqual(await count.outcomes(), { rotated: 1 });
  await until("the renewal is drawn", () =>
    tab.run(() => document.querySelector('#person[data-renewals="1"]') !== null, undefined),
  );
  const drawn = await shows(tab, "active");
  assert.ok(
    drawn > signedIn && drawn <= signedIn + 4,
    `drawn ${drawn} times, ${signedIn} before: for each change, and not again and again`,
  );
  await press(other, "sign-out");
  await shows(other, "signed-out");
  await shows(tab, "signed-out");
  assert.match((await tab.page.textContent("#person p")) ?? "", /signed_out/);
  await profile.close();
});
