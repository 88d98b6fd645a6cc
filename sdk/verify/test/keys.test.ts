// The key cache: what junk costs, what an outage does, and how keys come and go. Scenarios 25 to 31.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVerifier, remoteKeys } from "@daypass/verify";
import { settled, until } from "./support/clock.js";
import { refusalOf } from "./support/forge.js";
import { AUDIENCE, ISSUER, Key } from "./support/issuer.js";
import { Gate, Harness, type Reply, unreachable } from "./support/keyserver.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

test("s25 ten thousand unknown key ids in a minute cost six requests, and good tokens do not wait", async () => {
  const harness = await Harness.warm();
  const known = harness.good();
  await harness.verifier.verify(known);
  const verdicts: Record<string, number> = {};
  for (let number = 0; number < 10_000; number++) {
    const junk = harness.verdict(harness.madeUp(`made-up-${number}`));
    // Neither a token seen before nor a new one waits for a request or a timer: the time stands still here.
    assert.equal(await harness.verdict(known), "ok");
    if (number % 16 === 0) assert.equal(await harness.verdict(harness.good()), "ok");
    const verdict = await junk;
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    harness.clock.advance(6);
  }
  // The keys were fetched once before.
  assert.equal(harness.server.requests - 1, 6);
  assert.deepEqual(verdicts, { unknown_key: 6, keys_unavailable: 9_994 });
});

test("s25 a flood at once takes sixty-four places, and leaves good tokens alone", async () => {
  const harness = await Harness.warm();
  const gate = new Gate();
  harness.server.next(gate.hold(() => harness.server.answer([harness.key])));
  const flood = Array.from({ length: 200 }, (_, at) => harness.verdict(harness.madeUp(`${at}`)));
  await until(() => gate.arrived === 1);
  assert.equal(harness.clock.waits.filter((wait) => wait === SECOND).length, 64);
  assert.equal(await harness.verdict(harness.good()), "ok");
  gate.open();
  const verdicts = await Promise.all(flood);
  assert.equal(verdicts.filter((verdict) => verdict === "unknown_key").length, 64);
  assert.equal(verdicts.filter((verdict) => verdict === "keys_unavailable").length, 136);
  assert.equal(harness.server.requests, 2);
});

test("s25 at most 1024 callers wait, whatever they want", async () => {
  const harness = await Harness.warm();
  const gate = new Gate();
  const fresh = new Key("ES256", "k2");
  harness.server.next(gate.hold(() => harness.server.answer([harness.key, fresh])));
  const callers = Array.from({ length: 1100 }, () => harness.verdict(harness.good(fresh)));
  await until(() => gate.arrived === 1);
  gate.open();
  const verdicts = await Promise.all(callers);
  assert.equal(verdicts.filter((verdict) => verdict === "ok").length, 1024);
});

test("s25 a key that would have been published is unknown for certain, a younger one may come", async () => {
  const harness = await Harness.warm();
  harness.clock.advance(31 * SECOND);
  assert.equal(await harness.verdict(harness.madeUp("x")), "unknown_key");
  await settled();
  harness.clock.advance(4 * SECOND);
  // The keys were asked for 4 s ago. Issued 34 s ago, with the issuer's clock 30 s behind, is the same moment.
  const issued = (ago: number) => harness.madeUp("x", { iat: harness.now - ago });
  for (const ago of [0, 4, 33, 34]) {
    const refusal = await refusalOf(harness.verifier.verify(issued(ago)));
    assert.deepEqual([refusal.code, refusal.status, refusal.retryAfter], ["keys_unavailable", 503, 6], `${ago}`);
  }
  for (const ago of [35, 300]) assert.equal(await harness.verdict(issued(ago)), "unknown_key", `${ago}`);
  assert.equal(harness.server.requests, 2);
});

test("s25 a step of the wall clock makes no key unknown", async () => {
  const harness = await Harness.warm();
  const wall = harness.clock.wall();
  harness.clock.setWall(wall + HOUR);
  assert.equal(await harness.verdict(harness.madeUp("x")), "unknown_key");
  await settled();
  harness.clock.setWall(wall);
  assert.equal(await harness.verdict(harness.madeUp("perhaps-new")), "keys_unavailable");
});

test("s26 ten thousand bad signatures of a known key cost no request", async () => {
  const harness = await Harness.warm();
  const good = harness.good();
  const bad = `${good.slice(0, good.lastIndexOf("."))}.${"A".repeat(86)}`;
  for (let round = 0; round < 10; round++) {
    const verdicts = await Promise.all(Array.from({ length: 1000 }, () => harness.verdict(bad)));
    assert.deepEqual([...new Set(verdicts)], ["bad_signature"]);
  }
  assert.equal(harness.server.requests, 1);
  assert.equal(await harness.verdict(good), "ok");
});

test("s27 a new key that a hundred use at once is one request, and all pass", async () => {
  const harness = await Harness.warm();
  const fresh = new Key("ES256", "k2");
  harness.server.publish([harness.key, fresh]);
  harness.clock.advance(MINUTE);
  const verdicts = await Promise.all(Array.from({ length: 100 }, () => harness.verdict(harness.good(fresh))));
  assert.deepEqual([...new Set(verdicts)], ["ok"]);
  assert.equal(harness.server.requests, 2);
});

test("s27 a fetch that was under way before the key was made is no last word", async () => {
  const harness = await Harness.warm();
  const fresh = new Key("ES256", "k2");
  const gate = new Gate();
  harness.server.next(gate.hold(() => harness.server.answer([harness.key])));
  harness.clock.advance(4 * MINUTE);
  await until(() => gate.arrived === 1);
  const waiting = harness.verdict(harness.good(fresh));
  await settled();
  harness.server.publish([harness.key, fresh]);
  gate.open();
  assert.equal(await waiting, "ok");
  assert.equal(harness.server.requests, 3);
});

test("s28 a JWKS that answers 503: warm keys are good for an hour, then 503, and it heals by itself", async () => {
  const harness = await Harness.warm();
  harness.server.always(() => new Response("", { status: 503 }));
  const old = harness.good(harness.key, { exp: harness.now + 3600 });
  assert.equal(await harness.verdict(old), "ok");
  await harness.advanceToFetch(4 * MINUTE);
  assert.deepEqual([harness.keys.usable, harness.keys.lastError], [true, "status"]);
  while (harness.clock.running() - 5_000_000 < HOUR - 10 * SECOND) {
    await harness.advanceToFetch(10 * SECOND);
    assert.equal(await harness.verdict(old), "ok");
    assert.equal(await harness.verdict(harness.good()), "ok");
  }
  await harness.advanceToFetch(10 * SECOND);
  const refusal = await refusalOf(harness.verifier.verify(harness.good()));
  assert.deepEqual([refusal.code, refusal.status, refusal.isUnavailable], ["keys_unavailable", 503, true]);
  assert.equal(await harness.verdict(old), "keys_unavailable", "remembered tokens included");
  assert.equal(harness.verifier.health().ready, false);
  harness.server.publish([harness.key]);
  await harness.advanceToFetch(10 * SECOND);
  assert.equal(await harness.verdict(harness.good()), "ok");
  assert.equal(harness.keys.lastError, undefined);
});

test("s28 cold: 503 and never 401, and it heals by itself", async () => {
  const harness = new Harness({}, ({ server }) => server.always(() => new Response("", { status: 503 })));
  await harness.rests();
  for (let round = 0; round < 5; round++) {
    const refusal = await refusalOf(harness.verifier.verify(harness.good()));
    assert.deepEqual([refusal.status, refusal.retryAfter], [503, 10]);
    await harness.advanceToFetch(10 * SECOND);
  }
  harness.server.publish([harness.key]);
  await harness.advanceToFetch(10 * SECOND);
  assert.equal(await harness.verdict(harness.good()), "ok");
});

test("s28 cold: callers of the first moment wait for the first answer", async () => {
  const gate = new Gate();
  const harness = new Harness({}, ({ server, key }) => server.next(gate.hold(() => server.answer([key]))));
  const first = harness.verdict(harness.good());
  await until(() => gate.arrived === 1);
  gate.open();
  assert.equal(await first, "ok");
  assert.equal(harness.server.requests, 1);
});

test("s28 after a failure there is no request for ten seconds, whoever asks", async () => {
  const harness = await Harness.warm();
  harness.server.next(unreachable);
  await harness.advanceToFetch(4 * MINUTE);
  assert.equal(harness.keys.lastError, "connect");
  const old = harness.good(harness.key, { iat: harness.now - 200 });
  assert.equal(await harness.verdict(old), "ok");
  for (let second = 0; second < 9; second++) {
    harness.clock.advance(SECOND);
    // Nothing is unknown for certain after a failure, however old the token.
    assert.equal(await harness.verdict(harness.madeUp("x", { iat: harness.now - 300 })), "keys_unavailable");
  }
  assert.equal(harness.server.requests, 2);
});

test("s29 a JWKS that hangs: known keys are not affected, callers of unknown ones wait for a second", async () => {
  const harness = await Harness.warm();
  harness.server.always(() => new Promise<Response>(() => undefined));
  harness.clock.advance(4 * MINUTE);
  await until(() => harness.server.requests === 2);
  const stranger = harness.verifier.verify(harness.madeUp("x"));
  stranger.catch(() => undefined);
  for (let second = 0; second < 30; second++) {
    assert.equal(await harness.verdict(harness.good()), "ok");
    if (second === 1) {
      const refusal = await refusalOf(stranger);
      assert.deepEqual([refusal.status, refusal.retryAfter], [503, 1]);
    }
    harness.clock.advance(SECOND);
    await settled();
  }
  // Two seconds for a request, ten of rest.
  assert.deepEqual([harness.keys.lastError, harness.server.requests], ["timeout", 4]);
  assert.equal(harness.server.calledOff, 3);
});

test("s29 an answer whose body hangs is called off as well", async () => {
  const harness = await Harness.warm();
  harness.server.next(() => new Response(new ReadableStream({ pull: () => new Promise<void>(() => undefined) })));
  harness.clock.advance(4 * MINUTE);
  await until(() => harness.server.requests === 2);
  await settled();
  harness.clock.advance(2 * SECOND);
  await until(() => harness.keys.lastError === "timeout");
  assert.equal(await harness.verdict(harness.good()), "ok");
});

test("s30 an empty, huge or broken JWKS, a redirect or a sign-in page: the old set stays", async () => {
  const harness = await Harness.warm();
  const good = () => JSON.stringify({ keys: [harness.key.jwk()] });
  const endless = () =>
    new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(32)) }));
  const cut = () =>
    new Response(new ReadableStream({ start: (controller) => controller.error(new Error("the line is cut")) }));
  const table: [Reply, string][] = [
    [() => Response.json({ keys: [] }), "no_usable_key"],
    [() => Response.json({ keys: [new Key("RS256", "rsa").jwk()] }), "no_usable_key"],
    [() => new Response(good() + " ".repeat(1024 * 1024)), "too_large"],
    [() => new Response("{}", { headers: { "content-length": "1000000" } }), "too_large"],
    [endless, "too_large"],
    [cut, "interrupted"],
    [() => new Response(good().slice(0, -1)), "malformed"],
    [() => new Response("<html>Please sign in to this network.</html>"), "malformed"],
    [() => new Response(good(), { status: 206 }), "status"],
    [() => new Response("", { status: 302, headers: { location: "https://evil.example/" } }), "status"],
    [() => Response.json({ keys: [harness.key.jwk({ d: "AA" })] }), "private_material"],
    [unreachable, "connect"],
  ];
  await harness.advanceToFetch(4 * MINUTE);
  for (const [reply, fault] of table) {
    harness.server.next(reply);
    await harness.advanceToFetch(4 * MINUTE);
    assert.equal(harness.keys.lastError, fault);
    assert.equal(await harness.verdict(harness.good()), "ok", fault);
    await harness.advanceToFetch(10 * SECOND);
    assert.equal(harness.keys.lastError, undefined);
  }
  assert.match(harness.verifier.metricsText(), /jwks_fetches_total\{[^}]*outcome="too_large"\} 3\n/);
});

test("s31 a withdrawn key is refused within the freshness bound, remembered tokens included", async () => {
  const harness = await Harness.warm();
  const [old, fresh] = [harness.key, new Key("ES256", "k2")];
  const token = harness.good(old, { exp: harness.now + 3600 });
  assert.equal(await harness.verdict(token), "ok");
  harness.server.publish([fresh]);
  harness.clock.advance(4 * MINUTE - 1);
  assert.equal(await harness.verdict(token), "ok");
  await harness.advanceToFetch(1);
  assert.notEqual(await harness.verdict(token), "ok");
  assert.notEqual(await harness.verdict(harness.good(old)), "ok");
  assert.equal(await harness.verdict(harness.good(fresh)), "ok");
});

test("s31 another key of the same name is another key: what the old one signed is refused", async () => {
  const harness = await Harness.warm();
  const token = harness.good(harness.key, { exp: harness.now + 3600 });
  assert.equal(await harness.verdict(token), "ok");
  const twin = new Key("ES256", "k1");
  harness.server.publish([twin]);
  await harness.advanceToFetch(4 * MINUTE);
  assert.equal(await harness.verdict(token), "bad_signature");
  assert.equal(await harness.verdict(harness.good(twin)), "ok");
});

test("s31 a key that stays keeps its tokens remembered", async () => {
  const harness = await Harness.warm();
  const token = harness.good();
  await harness.verifier.verify(token);
  harness.server.publish([new Key("ES256", "k0"), harness.key]);
  await harness.advanceToFetch(4 * MINUTE);
  assert.equal(await harness.verdict(token), "ok");
  assert.match(harness.verifier.metricsText(), /cache_hits_total\{[^}]*\} 1\n/);
});

test("after a suspend the first token that finds the keys overdue has them fetched", async () => {
  const harness = await Harness.warm();
  harness.clock.suspend(6 * MINUTE);
  await settled();
  assert.equal(harness.server.requests, 1, "the timer slept, too");
  const gate = new Gate();
  harness.server.next(gate.hold(() => harness.server.answer([harness.key])));
  for (let token = 0; token < 50; token++) assert.equal(await harness.verdict(harness.good()), "ok");
  await until(() => gate.arrived === 1);
  assert.equal(harness.server.requests, 2, "one request for all that find them so");
  gate.open();
  await until(() => harness.keys.ageSeconds === 0);
  harness.clock.suspend(2 * HOUR);
  assert.equal(await harness.verdict(harness.good()), "ok", "it waits for them");
  assert.equal(harness.server.requests, 3);
});

test("a url that can be listened to, or holds a password, is no place for keys", () => {
  const make = (url: string, allowHttp = false) =>
    createVerifier({
      issuer: ISSUER,
      audience: AUDIENCE,
      keys: remoteKeys(url, { allowHttp }),
      fetch: async () => Response.json({}),
    }).close();
  for (const fine of ["https://id.example/keys?x=1", "http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost:1/"]) {
    make(fine);
  }
  for (const bad of ["http://id.example/", "http://10.0.0.1/", "http://localhost.example/"]) {
    assert.throws(() => make(bad), /it is not https/, bad);
    make(bad, true);
  }
  for (const bad of [
    "file:///etc/passwd",
    "/keys",
    "https://id.example/#x",
    "https://ada:secret@id.example/?t=secret",
  ]) {
    assert.throws(
      () => make(bad),
      (error: Error) => error.name === "ConfigError" && !error.message.includes("secret"),
      bad,
    );
  }
});

test("junk is judged before its key is looked for", async () => {
  const harness = new Harness({}, ({ server }) => server.always(unreachable));
  await harness.rests();
  const key = new Key("ES256", "unknown");
  for (const [token, code] of [
    ["x".repeat(20_000), "too_large"],
    [key.token(key.header({ alg: "none" }), {}), "algorithm"],
    [key.token(key.header({ typ: "JWT" }), {}), "type"],
    [harness.good(key, { iss: "https://evil.example" }), "issuer"],
    [harness.good(key, { exp: harness.now - 5 }), "expired"],
    [harness.good(key, { aud: "other" }), "audience"],
    [harness.good(key), "keys_unavailable"],
  ] as const) {
    assert.equal(await harness.verdict(token), code);
  }
  assert.equal(harness.server.requests, 1);
});
