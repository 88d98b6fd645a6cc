// The cache of tokens, metrics, the end, and the clock of a machine that sleeps.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { createVerifier, remoteKeys, staticKeys, systemClock } from "@daypass/verify";
import { settled, until } from "./support/clock.js";
import { Forge } from "./support/forge.js";
import { AUDIENCE, claims, ISSUER, Key } from "./support/issuer.js";
import { Harness, unreachable } from "./support/keyserver.js";

const metric = (text: string, name: string) =>
  Number(new RegExp(`^daypass_verify_${name}\\{[^}]*\\} (\\S+)$`, "m").exec(text)?.[1]);

test("the cache is keyed by the whole token: a changed end is another token", async () => {
  const forge = new Forge();
  const token = forge.key.good();
  await forge.verify(token);
  const [header, payload, signature] = token.split(".");
  const other = forge.key.good({ sub: "eve" }).split(".")[1];
  await forge.refused(`${header}.${payload}.${"A".repeat(86)}`, "bad_signature");
  await forge.refused(`${header}.${other}.${signature}`, "bad_signature");
  await forge.verify(token);
  assert.equal(metric(forge.verifier.metricsText(), "cache_hits_total"), 1);
});

test("the cache is bounded, holds good tokens only, and keeps those in use", async () => {
  const forge = new Forge("ES256", { cacheBytes: 100_000 });
  const used = forge.key.good({ jti: "used" });
  const size = () => metric(forge.verifier.metricsText(), "cache_bytes");
  const hits = () => metric(forge.verifier.metricsText(), "cache_hits_total");
  await forge.verify(used);
  for (let at = 0; at < 150; at++) {
    await forge.verify(forge.key.good({ jti: `t-${at}` }));
    if (at % 10 === 0) await forge.verify(used);
    assert.ok(size() <= 100_000, `${size()}`);
  }
  assert.equal(hits(), 15, "the one in use was never dropped");
  const before = metric(forge.verifier.metricsText(), "cache_tokens");
  for (let at = 0; at < 50; at++)
    await forge.refused(`${forge.key.good({ jti: `${at}` }).slice(0, -8)}AAAAAAAA`, "bad_signature");
  assert.equal(metric(forge.verifier.metricsText(), "cache_tokens"), before);
});

test("without a cache each token is judged each time", async () => {
  const forge = new Forge("ES256", { cacheBytes: 0 });
  for (let round = 0; round < 3; round++) await forge.verify(forge.key.good());
  assert.equal(metric(forge.verifier.metricsText(), "cache_hits_total"), 0);
});

test("metrics have the names of the Rust verifier", async () => {
  const harness = await Harness.warm();
  await harness.verifier.verify(harness.good());
  await harness.verdict("junk");
  const text = harness.verifier.metricsText();
  const names = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`).sort();
  assert.deepEqual(names, [
    "daypass_verify_cache_bytes gauge",
    "daypass_verify_cache_hits_total counter",
    "daypass_verify_cache_tokens gauge",
    "daypass_verify_jwks_fetches_total counter",
    "daypass_verify_keys gauge",
    "daypass_verify_keys_age_seconds gauge",
    "daypass_verify_keys_usable gauge",
    "daypass_verify_verified_total counter",
  ]);
  assert.match(text, /verified_total\{issuer="https:\/\/id\.example",outcome="accepted"\} 1\n/);
  assert.match(text, /verified_total\{[^}]*outcome="malformed"\} 1\n/);
  const odd = createVerifier({ issuer: 'a"b\\c\nd', audience: "x", keys: staticKeys({ keys: [] }) });
  assert.ok(odd.metricsText().includes('{issuer="a\\"b\\\\c\\nd"'));
});

test("static keys that are of no use let nothing pass", async () => {
  const key = new Key("ES256", "k1");
  for (const keys of [[], [new Key("Ed25519", "x").jwk()], [{ kty: "oct", k: "AA" }]]) {
    const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: staticKeys({ keys }) });
    await assert.rejects(verifier.verify(key.token(key.header(), claims({}, Math.floor(Date.now() / 1000)))));
    await settled();
    assert.equal(verifier.health().ready, false);
  }
});

test("close calls off what is under way, and lets waiters go", async () => {
  const harness = new Harness({}, ({ server }) => server.always(() => new Promise(() => undefined)));
  const waiting = harness.verdict(harness.good());
  await until(() => harness.server.requests === 1);
  harness.verifier.close();
  assert.equal(await waiting, "keys_unavailable");
  await until(() => harness.clock.waits.length === 0);
  assert.equal(harness.server.calledOff, 1);
  harness.clock.advance(3_600_000);
  await settled();
  assert.equal(harness.server.requests, 1);
  assert.equal(await harness.verdict(harness.good()), "closed");
});

test("a verifier keeps no process alive, closed or not", () => {
  const script = `
    import { createVerifier, remoteKeys, revocationFeed } from "@daypass/verify";
    createVerifier({
      issuer: "https://id.example", audience: "x",
      keys: remoteKeys("https://id.example/keys"),
      fetch: () => Promise.reject(new Error("unreachable")),
      revocation: revocationFeed({ url: "https://id.example", clientId: "a", clientSecret: "b", mode: "stream" }),
    });
    console.log("made");`;
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: import.meta.dirname ?? new URL(".", import.meta.url).pathname,
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.deepEqual([ended.status, ended.stdout.trim(), ended.stderr], [0, "made", ""]);
});

test("an outage is a few lines of log, without a secret", async () => {
  const lines: string[] = [];
  const log = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  const harness = new Harness({ log, keys: remoteKeys("https://id.example/keys?token=secret") }, ({ server }) =>
    server.next(unreachable),
  );
  await harness.rests();
  await harness.advanceToFetch(10_000);
  assert.deepEqual(lines, [
    "the issuer's keys cannot be fetched from https://id.example/keys: connect",
    "the issuer's keys can be fetched again from https://id.example/keys",
  ]);
});

test("the system's clock runs on in a suspend, and takes a step of the time of day for none", () => {
  const now = { wall: 1_750_000_000_000, awake: 1000, uptime: 50 };
  let asked = 0;
  const clock = systemClock({
    wall: () => now.wall,
    awake: () => now.awake,
    uptime: () => {
      asked++;
      return Math.floor(now.uptime);
    },
  });
  const pass = (ms: number, suspended = false) => {
    now.wall += ms;
    now.uptime += ms / 1000;
    if (!suspended) now.awake += ms;
  };
  const begun = clock.running();
  for (let second = 0; second < 100; second++) {
    pass(1000);
    clock.running();
  }
  assert.equal(clock.running() - begun, 100_000);
  assert.equal(asked, 1, "no system call while nothing is odd");
  now.wall += 3_600_000;
  assert.equal(clock.running() - begun, 100_000, "somebody set the time of day ahead");
  now.wall -= 7_200_000;
  assert.equal(clock.running() - begun, 100_000, "and back");
  pass(3_600_000, true);
  assert.ok(Math.abs(clock.running() - begun - 3_700_000) <= 1000, "the machine slept for an hour");
  pass(1000);
  const before = clock.running();
  now.wall -= 3_600_000;
  assert.equal(clock.running(), before, "it never goes back");
});
