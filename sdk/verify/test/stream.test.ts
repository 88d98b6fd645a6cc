// The list of ended sessions, told by the stream. Scenario 32, as soon as it happens.
import assert from "node:assert/strict";
import { test } from "node:test";
import { settled, until } from "./support/clock.js";
import { type FeedService, status } from "./support/feed.js";
import { FeedHarness, OTHER_SID, SID } from "./support/followed.js";
import { refusalOf } from "./support/forge.js";

const FEED = "/v1/revocations";
const STREAM = "/v1/revocations/stream";
const streaming = (service: FeedService) => {
  service.hasStream = true;
};

async function withStream(
  act: (harness: FeedHarness) => Promise<void>,
  options: Parameters<typeof FeedHarness.with>[0] = {},
  before: (service: FeedService) => void = () => undefined,
): Promise<void> {
  await FeedHarness.with({ mode: "stream", ...options }, act, (service) => {
    streaming(service);
    before(service);
  });
}

const ready = (harness: FeedHarness) => until(() => !harness.feed.stale, "the stream");
const revoked = (harness: FeedHarness, token: string) =>
  until(async () => (await harness.verdict(token)) === "revoked", "the end of the session");

test("s32 a session that has ended is refused as soon as the stream says so, and no time has to pass", async () => {
  await withStream(async (harness) => {
    await ready(harness);
    const [token, other] = [harness.good(), harness.good({ sid: OTHER_SID })];
    assert.equal(await harness.verdict(token), "ok");
    harness.end({ sid: SID });
    await revoked(harness, token);
    assert.equal(await harness.verdict(other), "ok");
    assert.deepEqual([harness.feed.mode, harness.service.count(FEED)], ["stream", 0]);
  });
});

test("s32 a stream that falls silent is stale: refuse answers 503, and a metric says so", async () => {
  await withStream(
    async (harness) => {
      await ready(harness);
      const token = harness.good();
      for (let beat = 0; beat < 6; beat++) {
        harness.clock.advance(5000);
        const before = harness.feed.ageSeconds;
        harness.service.say(": still here\n\n");
        await until(() => harness.feed.ageSeconds === 0, `a heartbeat after ${before} s`);
        assert.equal(await harness.verdict(token), "ok");
      }
      harness.service.always(STREAM, status(503));
      harness.service.always(FEED, status(503));
      // Nothing comes for longer than two heartbeats: the connection is given up.
      harness.clock.advance(12_000);
      await until(() => harness.feed.lastError === "timeout");
      assert.equal(harness.service.count(STREAM), 1);
      assert.equal(await harness.verdict(token), "ok", "within the bound");
      harness.clock.advance(2000);
      await until(() => harness.feed.lastError === "status");
      harness.clock.suspend(20_000);
      const refusal = await refusalOf(harness.verifier.verify(token));
      assert.deepEqual([refusal.code, refusal.status], ["revocations_unavailable", 503]);
      assert.match(harness.verifier.metricsText(), /daypass_verify_feed_stale\{[^}]*\} 1\n/);
      harness.service.always(STREAM, undefined);
      harness.service.always(FEED, undefined);
      await until(() => {
        if (harness.clock.waits.length > 0) harness.clock.advance(1000);
        return !harness.feed.stale;
      }, "a reading");
      assert.equal(await harness.verdict(token), "ok");
    },
    { whenStale: "refuse" },
  );
});

test("a stream that was cut is resumed where it stopped", async () => {
  await withStream(async (harness) => {
    await ready(harness);
    harness.end({ sub: "somebody", not_before_ms: 1 });
    await until(() => harness.feed.entries === 1);
    harness.service.hangUp(true);
    await until(() => harness.feed.lastError === "unreachable");
    // This happens while nobody listens.
    harness.end({ sid: SID });
    harness.clock.advance(1000);
    await revoked(harness, harness.good());
    assert.deepEqual(
      harness.service.requests.filter((seen) => seen.path === STREAM).map((seen) => seen.lastEventId),
      [undefined, "e1-1"],
    );
    assert.equal(harness.feed.entries, 2);
  });
});

test("a restarted service has its followers back within a second, and not all at once", async () => {
  await withStream(async (harness) => {
    await ready(harness);
    harness.clock.advance(4000);
    harness.service.say(":\n");
    await until(() => harness.feed.ageSeconds === 0);
    harness.service.hangUp();
    // The dice are held at a half.
    await until(() => harness.clock.waits.includes(500), "the wait");
    assert.equal(harness.feed.lastError, undefined, "it had told everything");
    harness.clock.advance(500);
    await until(() => harness.service.count(STREAM) === 2);
    await until(() => harness.service.streams.size === 1);
  });
});

test("streams that end at once are asked for more and more rarely, and polls go on beside them", async () => {
  await withStream(
    async (harness) => {
      const asked: number[] = [];
      const end = harness.clock.running() + 120_000;
      while (harness.clock.running() < end) {
        const polls = harness.service.count(FEED);
        while (asked.length < harness.service.count(STREAM)) asked.push(harness.clock.running());
        // The dice are held at a half: a second between two polls.
        await until(() => harness.clock.waits.includes(1000), "the wait");
        assert.equal(harness.feed.stale, false);
        harness.clock.advance(1000);
        await until(() => harness.service.count(FEED) > polls);
      }
      assert.equal(asked.length, 4);
      const pauses = asked.slice(1).map((at, i) => Math.round((at - (asked[i] ?? 0)) / 5000));
      assert.deepEqual(pauses, [1, 4, 16]);
    },
    {},
    (service) =>
      service.always(STREAM, (_, response) => response.writeHead(200, { "content-type": "text/event-stream" }).end()),
  );
});

test("an unknown cursor: the snapshot takes over when it is complete", async () => {
  await withStream(async (harness) => {
    await ready(harness);
    harness.end({ sid: SID });
    await revoked(harness, harness.good());
    harness.service.epoch = "e2";
    harness.service.entries.length = 0;
    harness.end({ sid: OTHER_SID });
    harness.service.hangUp(true);
    await until(() => harness.feed.lastError === "unreachable");
    harness.clock.advance(1000);
    await until(async () => (await harness.verdict(harness.good())) === "ok", "the new snapshot");
    assert.equal(await harness.verdict(harness.good({ sid: OTHER_SID })), "revoked");
    assert.equal(harness.feed.entries, 1);
  });
});

test("a snapshot that is cut off half-way takes nothing away", async () => {
  await withStream(async (harness) => {
    await ready(harness);
    harness.end({ sid: SID });
    await revoked(harness, harness.good());
    harness.service.say("id: e9-0\nevent: reset\ndata: {}\n\n");
    harness.service.say(
      `id: e9-1\nevent: entry\ndata: {"sub":"x","not_before_ms":1,"at_ms":1,"until":99999999999}\n\n`,
    );
    await until(() => harness.feed.entries === 2);
    harness.service.hangUp(true);
    await until(() => harness.feed.lastError === "unreachable");
    assert.equal(await harness.verdict(harness.good()), "revoked");
  });
});

test("a service without a stream is polled, and asked again after five minutes", async () => {
  await FeedHarness.with({ mode: "stream" }, async (harness) => {
    await harness.firstReading();
    assert.deepEqual([harness.feed.mode, harness.feed.lastError, harness.feed.stale], ["poll", undefined, false]);
    harness.end({ sid: SID });
    await harness.poll();
    assert.equal(await harness.verdict(harness.good()), "revoked");
    assert.equal(harness.service.count(STREAM), 1);
    streaming(harness.service);
    harness.clock.suspend(300_000);
    harness.clock.advance(1000);
    await until(() => harness.service.streams.size === 1);
    await until(() => harness.feed.mode === "stream" && harness.feed.ageSeconds === 0);
  });
});

test("a refused token is replaced, once", async () => {
  await withStream(async (harness) => {
    await ready(harness);
    harness.service.tokens.clear();
    harness.service.hangUp(true);
    await until(() => harness.feed.lastError === "unreachable");
    harness.clock.advance(1000);
    await until(() => harness.service.streams.size === 1);
    assert.equal(harness.service.count("/oauth2/token"), 2);
    harness.service.always(STREAM, status(403));
    harness.service.hangUp(true);
    await until(() => harness.clock.waits.some((wait) => wait <= 1000));
    harness.clock.advance(1000);
    await until(() => harness.feed.lastError === "refused");
  });
});

test("what is not understood ends the stream, and is not passed over", async () => {
  const entry = `{"sid":"${SID}","at_ms":1,"until":99999999999}`;
  const table: [string, string][] = [
    ["id: x\nevent: entry\ndata: {}\n\n", "malformed"],
    ["id: x\nevent: entry\ndata: not json\n\n", "malformed"],
    [`id: x\nevent: later\ndata: ${entry}\n\n`, "malformed"],
    [`data: ${entry}\n\n`, "malformed"],
    [`event: entry\ndata: ${"x".repeat(70_000)}`, "too_large"],
    [`event: entry\n${`data: ${"x".repeat(1000)}\n`.repeat(70)}`, "too_large"],
  ];
  for (const [said, fault] of table) {
    await withStream(async (harness) => {
      await ready(harness);
      harness.service.say(said);
      await until(() => harness.feed.lastError === fault, fault);
      harness.clock.advance(1000);
      await until(() => harness.feed.lastError === undefined, "it goes on");
      await until(() => harness.service.streams.size === 1);
    });
  }
});

test("events come in pieces, with any line end, and comments between", async () => {
  await withStream(async (harness) => {
    await ready(harness);
    const event = (sub: string, end: string) =>
      `event:entry${end}: a comment${end}id: e1-7${end}data: {"sub":"${sub}",${end}data: "not_before_ms":1,"at_ms":1,"until":99999999999}${end}retry: 5${end}${end}`;
    const all = ["\n", "\r\n", "\r"].map((end, at) => event(`caf\u00e9-${at}`, end)).join("");
    for (const byte of Buffer.from(all)) {
      for (const stream of harness.service.streams) stream.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    harness.service.say("\n");
    await until(() => harness.feed.entries === 3);
    assert.equal(harness.feed.lastError, undefined);
  });
});

test("what is no stream is no stream", async () => {
  for (const [type, fault] of [
    ["text/html", "malformed"],
    ["application/json", "malformed"],
  ] as const) {
    await withStream(
      async (harness) => {
        await until(() => harness.feed.lastError === fault);
        assert.equal(harness.feed.stale, true);
      },
      {},
      (service) =>
        service.always(STREAM, (_, response) =>
          response.writeHead(200, { "content-type": type }).end("event: ready\n\n"),
        ),
    );
  }
});

test("a stream whose head does not come costs five seconds", async () => {
  await withStream(
    async (harness) => {
      await until(() => harness.service.count(STREAM) === 1);
      await settled();
      harness.clock.advance(5000);
      await until(() => harness.feed.lastError === "timeout");
    },
    {},
    (service) => service.always(STREAM, () => undefined),
  );
});

test("entries are forgotten while a stream goes on", async () => {
  await withStream(async (harness) => {
    await ready(harness);
    harness.end({ sid: SID });
    await revoked(harness, harness.good());
    for (let minute = 0; minute < 17; minute++) {
      harness.clock.suspend(60_000);
      const age = harness.feed.ageSeconds;
      harness.service.say(":\n");
      await until(() => harness.feed.ageSeconds === 0, `life after ${age} s`);
    }
    assert.equal(harness.feed.entries, 0);
  });
});

test("close ends the stream", async () => {
  await withStream(async (harness) => {
    await ready(harness);
    harness.verifier.close();
    await until(() => harness.service.streams.size === 0, "the end of the connection");
    await until(() => harness.clock.waits.length === 0, "the end of all timers");
    assert.equal(harness.service.count(STREAM), 1);
  });
});

test("close calls off a stream whose head has not come", async () => {
  await withStream(
    async (harness) => {
      await until(() => harness.service.count(STREAM) === 1);
      harness.verifier.close();
      await until(() => harness.clock.waits.length === 0, "the end of all timers");
    },
    {},
    (service) => service.always(STREAM, () => undefined),
  );
});
