// The tokens that the list of ended sessions is read with.
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "./support/feed.js";
import { FeedHarness, ID, SECRET } from "./support/followed.js";
import { ISSUER } from "./support/issuer.js";

const FEED = "/v1/revocations";
const TOKEN = "/oauth2/token";

test("the feed is read with client credentials, which are renewed in time and when refused", async () => {
  await FeedHarness.with({}, async (harness) => {
    await harness.firstReading();
    const [asked] = harness.service.requests;
    const encoded = (part: string) => new URLSearchParams({ p: part }).toString().slice(2);
    const basic = Buffer.from(`${encoded(ID)}:${encoded(SECRET)}`).toString("base64");
    assert.equal(asked?.authorization, `Basic ${basic}`);
    assert.deepEqual(Object.fromEntries(new URLSearchParams(asked?.body)), {
      grant_type: "client_credentials",
      scope: "daypass:feed",
      resource: ISSUER,
    });
    await harness.poll();
    assert.equal(harness.service.count(TOKEN), 1);
    // After four fifths of its life it is replaced.
    harness.clock.suspend(480_000);
    await harness.poll();
    assert.equal(harness.service.count(TOKEN), 2);
    // Refused before that, another is got at once, and the poll does not fail.
    harness.service.tokens.clear();
    await harness.poll();
    assert.deepEqual([harness.service.count(TOKEN), harness.feed.lastError], [3, undefined]);
    // A renewal that fails leaves the old one, which has a fifth of its life left.
    harness.service.always(TOKEN, status(503));
    harness.clock.suspend(480_000);
    await harness.poll();
    assert.equal(harness.service.count(TOKEN), 4);
    assert.equal(harness.feed.lastError, undefined);
    harness.service.tokens.clear();
    await harness.poll();
    assert.equal(harness.feed.lastError, "token");
  });
});

test("a client without the scope, or with a wrong secret, is told so", async () => {
  await FeedHarness.with(
    {},
    async (harness) => {
      await harness.firstReading();
      assert.equal(harness.feed.lastError, "token");
      harness.service.always(TOKEN, undefined);
      harness.service.always(FEED, status(403));
      await harness.poll();
      assert.equal(harness.feed.lastError, "refused");
    },
    (service) => service.always(TOKEN, status(401)),
  );
});

test("tokens for the feed may come from elsewhere", async () => {
  let token = "mine";
  const bearer = () => (token === "" ? Promise.reject(new Error("none")) : Promise.resolve(`${token}\n`));
  await FeedHarness.with(
    { bearer },
    async (harness) => {
      await harness.firstReading();
      assert.equal(harness.feed.lastError, undefined);
      assert.equal(harness.service.count(TOKEN), 0);
      for (const bad of ["", "two words", "line\nbreak", "caf\u00e9"]) {
        token = bad;
        await harness.poll(10_000);
        assert.equal(harness.feed.lastError, "token", bad);
      }
    },
    (service) => service.tokens.add("Bearer mine"),
  );
});
