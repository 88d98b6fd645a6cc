// Scenario 21: which calls are made again after a 401.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Api } from "../src/harness/api.js";
import { World } from "../src/harness/world.js";

let world: World;
let api: Api;
before(async () => {
  world = await World.open();
  // Chromium sends streams over HTTP/2 only.
  api = await world.secureApi();
});
after(async () => {
  await api.close();
  await world.close();
});

test("scenario 21: a POST with bytes is replayed identically, once; a stream gives the 401 with its marker", async () => {
  const { profile } = await world.browser(undefined, ["--ignore-certificate-errors"]);
  const tab = await profile.open({ allowedOrigins: [api.url] });
  await tab.signIn();
  const post = (stream: boolean): ReturnType<typeof tab.call> =>
    tab.run(([url, stream]) => globalThis.app.call(url, { method: "POST", body: "ein Ton: ♪", stream }), [
      `${api.url}/echo`,
      stream,
    ] as const);
  const refuse = async (): Promise<void> => {
    await profile.age();
    api.refuse((await tab.token()).token ?? "");
    api.calls.length = 0;
  };
  const count = await world.count();

  await refuse();
  const bytes = await post(false);
  assert.equal(bytes.status, 200, bytes.message);
  assert.equal((JSON.parse(bytes.body ?? "") as { body: string }).body, "ein Ton: ♪");
  assert.deepEqual(
    api.calls.map(({ status, body }) => [status, body]),
    [
      [401, "ein Ton: ♪"],
      [200, "ein Ton: ♪"],
    ],
  );
  assert.deepEqual(await count.outcomes(), { rotated: 1 });

  await refuse();
  const stream = await post(true);
  assert.deepEqual([stream.status, stream.marked], [401, "body"], stream.message);
  assert.deepEqual(
    api.calls.map(({ status, body }) => [status, body]),
    [[401, "ein Ton: ♪"]],
  );
  assert.deepEqual(await count.outcomes(), { rotated: 2 }, "the token has been renewed all the same");
  assert.equal((await post(true)).status, 200, "so that the caller can make the call again");
  await profile.close();
});
