// The list of ended sessions, read by polls. Scenario 32.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { ConfigError, createVerifier, revocationFeed, staticKeys } from "@daypass/verify";
import { settled, until } from "./support/clock.js";
import { status, text } from "./support/feed.js";
import { FeedHarness, ID, OTHER_SID, SECRET, SID } from "./support/followed.js";
import { refusalOf } from "./support/forge.js";
import { AUDIENCE, ISSUER } from "./support/issuer.js";

const FEED = "/v1/revocations";
const TOKEN = "/oauth2/token";

test("s32 a session that has ended is refused after the next poll, remembered tokens included", async () => {
  await FeedHarness.with({}, async (harness) => {
    await harness.firstReading();
    const [token, other] = [harness.good(), harness.good({ sid: OTHER_SID })];
    assert.deepEqual([await harness.verdict(token), await harness.verdict(other)], ["ok", "ok"]);
    harness.end({ sid: SID });
    assert.equal(await harness.verdict(token), "ok", "nobody knows yet");
    await harness.poll();
    const refusal = await refusalOf(harness.verifier.verify(token));
    assert.deepEqual([refusal.code, refusal.status], ["revoked", 401]);
    assert.equal(await harness.verdict(harness.good({ jti: "another" })), "revoked");
    assert.equal(await harness.verdict(other), "ok");
    assert.equal(harness.feed.entries, 1);
  });
});

test("s32 a subject's sessions up to a moment end, later ones do not", async () => {
  await FeedHarness.with({}, async (harness) => {
    await harness.firstReading();
    const started = 0x01976f5c2f80;
    const token = harness.good();
    const program = harness.good({ sid: undefined, sub: "robot", client_id: "robot" });
    harness.end({ sub: "ada", not_before_ms: started });
    harness.end({ sub: "robot", not_before_ms: harness.clock.wall() + 1000 });
    await harness.poll();
    assert.equal(await harness.verdict(token), "ok", "a session that began at that moment goes on");
    assert.equal(await harness.verdict(program), "revoked", "a token without session counts from its issue");
    harness.end({ sub: "ada", not_before_ms: started + 1 });
    await harness.poll();
    assert.equal(await harness.verdict(token), "revoked");
    assert.equal(await harness.verdict(harness.good({ sub: "bob" })), "ok");
    // An older entry weakens no newer one.
    harness.end({ sub: "ada", not_before_ms: 0 });
    await harness.poll();
    assert.equal(await harness.verdict(token), "revoked");
  });
});

test("s32 the feed is stale: refuse answers 503 and never 401, and a metric says so", async () => {
  await FeedHarness.with({ whenStale: "refuse", maxStalenessMs: 5000 }, async (harness) => {
    harness.end({ sid: OTHER_SID });
    await harness.poll(0).catch(() => undefined);
    await harness.firstReading();
    const token = harness.good();
    assert.equal(await harness.verdict(token), "ok");
    harness.service.always(FEED, status(503, { "retry-after": "3" }));
    await harness.poll();
    assert.equal(harness.feed.lastError, "status");
    assert.equal(await harness.verdict(token), "ok", "within the bound");
    await harness.poll(3000);
    await harness.poll(3000);
    const refusal = await refusalOf(harness.verifier.verify(token));
    assert.deepEqual([refusal.code, refusal.status, refusal.retryAfter], ["revocations_unavailable", 503, 3]);
    assert.equal(await harness.verdict(harness.good({ sid: OTHER_SID })), "revoked", "what is known stays known");
    assert.match(harness.verifier.metricsText(), /daypass_verify_feed_stale\{[^}]*\} 1\n/);
    assert.deepEqual([harness.feed.stale, harness.feed.refusing, harness.verifier.health().ready], [true, true, false]);
    harness.service.always(FEED, undefined);
    await harness.poll(3000);
    assert.equal(await harness.verdict(token), "ok");
    assert.match(harness.verifier.metricsText(), /daypass_verify_feed_stale\{[^}]*\} 0\n/);
    assert.deepEqual(
      harness.logged.map((line) => line.replace(/http:\S+/, "…")),
      [
        "the revocation feed … cannot be read: status (503)",
        "what is known of ended sessions is too old: tokens are refused",
        "the revocation feed … can be read again",
      ],
    );
  });
});

test("s32 the feed is stale: allow lets tokens pass, but for those of sessions known to have ended", async () => {
  await FeedHarness.with({ maxStalenessMs: 5000 }, async (harness) => {
    await harness.firstReading();
    harness.end({ sid: OTHER_SID });
    await harness.poll();
    harness.service.always(FEED, status(503));
    for (let round = 0; round < 10; round++) await harness.poll(10_000);
    assert.deepEqual([harness.feed.stale, harness.feed.refusing, harness.verifier.health().ready], [true, false, true]);
    assert.equal(await harness.verdict(harness.good()), "ok");
    assert.equal(await harness.verdict(harness.good({ sid: OTHER_SID })), "revoked");
    assert.match(harness.verifier.metricsText(), /daypass_verify_feed_stale\{[^}]*\} 1\n/);
  });
});

test("before the first reading refuse waits for it, a second at most", async () => {
  let answer: () => void = () => undefined;
  const hold = (service: { next: FeedHarness["service"]["next"] }) =>
    service.next(FEED, (_, response) => {
      answer = () => response.end('{"cursor":"e1-0","complete":true,"reset":true,"entries":[]}');
    });
  await FeedHarness.with(
    { whenStale: "refuse" },
    async (harness) => {
      await until(() => harness.service.count(FEED) === 1);
      const [first, second] = [harness.verdict(harness.good()), harness.verdict(harness.good({ jti: "2" }))];
      await until(() => harness.clock.waits.filter((wait) => wait === 1000).length === 2);
      answer();
      assert.deepEqual([await first, await second], ["ok", "ok"]);
    },
    hold,
  );
  await FeedHarness.with(
    { whenStale: "refuse" },
    async (harness) => {
      await until(() => harness.service.count(FEED) === 1);
      const waiting = harness.verdict(harness.good());
      await until(() => harness.clock.waits.includes(1000));
      harness.clock.advance(1000);
      assert.equal(await waiting, "revocations_unavailable");
    },
    hold,
  );
});

test("pages are read to the end, and a page that is lost loses no entry", async () => {
  await FeedHarness.with(
    {},
    async (harness) => {
      await harness.firstReading();
      assert.equal(harness.feed.entries, 5);
      assert.equal(harness.service.count(FEED), 3);
      harness.end({ sid: SID });
      for (let more = 0; more < 3; more++) harness.end({ sub: `late-${more}`, not_before_ms: 1 });
      // The first page of this poll comes, the second does not.
      harness.service.next(FEED, (_, response) => {
        const entries = harness.service.entries.slice(5, 7);
        response.end(JSON.stringify({ cursor: "e1-7", complete: false, entries }));
      });
      harness.service.next(FEED, status(500));
      await harness.poll();
      assert.equal(harness.feed.lastError, "status");
      assert.equal(await harness.verdict(harness.good()), "revoked", "what has come is in force");
      await harness.poll();
      assert.deepEqual([harness.feed.entries, harness.feed.lastError], [9, undefined]);
    },
    (service) => {
      service.limit = 2;
      for (let at = 0; at < 5; at++) service.end({ sub: `s${at}`, not_before_ms: 1 }, 1_750_000_000_000);
    },
  );
});

test("a new epoch: what was known is void once the snapshot is complete, and no earlier", async () => {
  await FeedHarness.with({}, async (harness) => {
    await harness.firstReading();
    harness.end({ sid: SID });
    await harness.poll();
    const token = harness.good();
    assert.equal(await harness.verdict(token), "revoked");
    // The store was restored: another epoch, in which this session lives.
    harness.service.epoch = "e2";
    harness.service.entries.length = 0;
    for (let at = 0; at < 3; at++) harness.end({ sub: `s${at}`, not_before_ms: 1 });
    harness.service.limit = 2;
    harness.service.next(FEED, (_, response) => {
      const entries = harness.service.entries.slice(0, 2);
      response.end(JSON.stringify({ cursor: "e2-2", complete: false, reset: true, entries }));
    });
    harness.service.next(FEED, status(500));
    await harness.poll();
    assert.equal(await harness.verdict(token), "revoked", "the snapshot is not complete");
    await harness.poll();
    assert.deepEqual([await harness.verdict(token), harness.feed.entries], ["ok", 3]);
  });
});

test("entries are forgotten when their time is over, by both clocks", async () => {
  await FeedHarness.with({}, async (harness) => {
    await harness.firstReading();
    const minutes = async (count: number) => {
      for (let minute = 0; minute < count; minute++) {
        harness.clock.suspend(59_000);
        await harness.poll();
      }
      assert.equal(harness.feed.lastError, undefined);
    };
    harness.end({ sid: SID });
    await harness.poll();
    assert.equal(harness.feed.entries, 1);
    // Somebody sets the clock two hours ahead: the entry's life is not over for that.
    harness.clock.setWall(harness.clock.wall() + 7_200_000);
    await harness.poll();
    assert.equal(harness.feed.entries, 1);
    harness.clock.setWall(harness.clock.wall() - 7_200_000);
    await minutes(14);
    assert.equal(harness.feed.entries, 1);
    await minutes(3);
    assert.equal(harness.feed.entries, 0);
    // Somebody sets it an hour back: tokens that the entry ends are good by this clock for as much longer.
    harness.end({ sid: OTHER_SID });
    await harness.poll();
    harness.clock.setWall(harness.clock.wall() - 3_600_000);
    await minutes(17);
    assert.equal(harness.feed.entries, 1);
    await minutes(60);
    assert.equal(harness.feed.entries, 0);
  });
});

test("what is not understood is not passed over", async () => {
  await FeedHarness.with({}, async (harness) => {
    await harness.firstReading();
    const page = (entry: string) => `{"cursor":"A","complete":true,"entries":[${entry}]}`;
    for (const bad of [
      "",
      "<html>sign in</html>",
      "{}",
      "[]",
      '{"cursor":"","complete":true,"entries":[]}',
      `{"cursor":"${"A".repeat(513)}","complete":true,"entries":[]}`,
      '{"cursor":"A","entries":[]}',
      '{"cursor":"A","cursor":"B","complete":true,"entries":[]}',
      '{"cursor":"A","complete":true,"reset":1,"entries":[]}',
      page('{"jti":"x","at_ms":1,"until":2}'),
      page('{"sid":"x","at_ms":1,"until":2}'),
      page('{"sub":"ada","at_ms":1,"until":2}'),
      page('{"sub":"ada","not_before_ms":"1","at_ms":1,"until":2}'),
      page(`{"sid":"${SID}","at_ms":1}`),
      page(`{"sid":"${SID}","sub":"a","at_ms":1,"until":2}`),
      page(`{"sub":"${"a".repeat(256)}","not_before_ms":1,"at_ms":1,"until":2}`),
    ]) {
      harness.service.next(FEED, text(bad));
      await harness.poll(10_000);
      assert.equal(harness.feed.lastError, "malformed", bad);
    }
    harness.service.next(FEED, (_, response) => response.end(" ".repeat(9 * 1024 * 1024)));
    await harness.poll(10_000);
    assert.equal(harness.feed.lastError, "too_large");
    harness.service.next(FEED, text('{"cursor":"e1-0","complete":false,"entries":[]}'));
    await harness.poll(10_000);
    assert.equal(harness.feed.lastError, "endless", "the cursor does not move");
    await harness.poll(10_000);
    assert.equal(harness.feed.lastError, undefined);
  });
});

test("a token whose session id carries no start is refused where a feed is followed", async () => {
  await FeedHarness.with({}, async (harness) => {
    await harness.firstReading();
    for (const sid of [SID.toUpperCase(), "session-1", SID.replaceAll("-", ""), SID.replace("-7", "-4")]) {
      assert.equal(await harness.verdict(harness.good({ sid })), "claim", sid);
    }
  });
});

test("a service that does not answer costs five seconds, and failures are spaced out", async () => {
  await FeedHarness.with({}, async (harness) => {
    await harness.firstReading();
    const waits: number[] = [];
    for (let failure = 0; failure < 6; failure++) {
      harness.service.next(FEED, () => undefined);
      const before = harness.service.count(FEED);
      harness.clock.advance(harness.clock.waits[0] ?? 0);
      await until(() => harness.service.count(FEED) > before);
      await harness.poll(5000);
      assert.equal(harness.feed.lastError, "timeout");
      waits.push(harness.clock.waits[0] ?? 0);
    }
    // Half of a bound that doubles, as the dice are held at a half.
    assert.deepEqual(waits, [500, 1000, 2000, 4000, 5000, 5000]);
    harness.service.next(FEED, status(429, { "retry-after": "86400" }));
    await harness.poll(5000);
    assert.deepEqual(harness.clock.waits, [60_000], "a wait of a minute is granted, and no more");
    await harness.poll(60_000);
    assert.deepEqual(harness.clock.waits, [1000]);
  });
});

test("nothing prints a secret", async () => {
  await FeedHarness.with({}, async (harness) => {
    const feed = revocationFeed({ url: harness.service.url, clientId: ID, clientSecret: SECRET });
    await harness.firstReading();
    await harness.verdict(harness.good());
    const shown = [feed, harness.verifier].flatMap((value) => [
      inspect(value, { depth: 10, showHidden: true }),
      JSON.stringify(value),
      String(value),
    ]);
    for (const secret of [SECRET, "s%25cret", "feed-token", "eyJ"]) {
      assert.ok(!shown.join(" ").includes(secret), shown.join("\n"));
      assert.ok(!harness.verifier.metricsText().includes(secret));
    }
  });
});

test("a feed that is not well described is no feed", () => {
  const make = (options: object) => () => {
    createVerifier({
      issuer: ISSUER,
      audience: AUDIENCE,
      keys: staticKeys({ keys: [] }),
      revocation: revocationFeed({ url: "https://id.example", clientId: "a", clientSecret: "b", ...options }),
    });
  };
  for (const bad of [
    { clientSecret: "" },
    { url: "http://id.example" },
    { url: "https://id.example/?a=b" },
    { pollEveryMs: 9 },
    { pollEveryMs: 1000, maxStalenessMs: 1999 },
    { pollEveryMs: NaN },
    { mode: "push" },
    { whenStale: "ignore" },
  ]) {
    assert.throws(make(bad), ConfigError, JSON.stringify(bad));
  }
});

test("nothing runs after close, and waiters are let go", async () => {
  await FeedHarness.with({ whenStale: "refuse" }, async (harness) => {
    harness.service.always(FEED, () => undefined);
    await until(() => harness.service.count(FEED) === 1 || harness.service.count(TOKEN) === 1);
    const waiting = harness.verdict(harness.good());
    await settled();
    harness.verifier.close();
    assert.match(await waiting, /closed|revocations_unavailable/);
    await until(() => harness.clock.waits.length === 0, "the end of all timers");
    const requests = harness.service.requests.length;
    harness.clock.advance(3_600_000);
    await settled();
    assert.equal(harness.service.requests.length, requests);
    const refusal = await refusalOf(harness.verifier.verify(harness.good()));
    assert.deepEqual([refusal.code, refusal.status], ["closed", 503]);
    assert.equal(harness.verifier.health().ready, false);
  });
});
