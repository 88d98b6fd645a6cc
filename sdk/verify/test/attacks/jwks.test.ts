// Other people's key sets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVerifier, remoteKeys } from "@daypass/verify";
import { ManualClock, until } from "../support/clock.js";
import { refusalOf } from "../support/forge.js";
import { type Alg, AUDIENCE, b64, claims, ISSUER, type Json, Key } from "../support/issuer.js";

const ALL = ["ES256", "Ed25519", "RS256", "PS256"] as const;

/** A verifier of the keys in this body, and how many it took, or why none. */
async function read(body: unknown) {
  const clock = new ManualClock();
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const verifier = createVerifier({
    issuer: ISSUER,
    audience: AUDIENCE,
    algorithms: ALL,
    keys: remoteKeys("https://id.example/keys"),
    clock,
    fetch: async () => new Response(text),
  });
  await until(() => verifier.health().keys.usable || verifier.health().keys.lastError !== undefined);
  const { number, lastError } = verifier.health().keys;
  return { verifier, number, lastError };
}

const good = new Key("ES256", "good");

/** Reads a bad key beside a good one: the good one must load. */
async function skipped(bad: unknown, what = JSON.stringify(bad)): Promise<void> {
  const { number, verifier } = await read({ keys: [bad, good.jwk()] });
  assert.equal(number, 1, what);
  await verifier.verify(good.good());
}

test("secrets are passed over, and never verify anything", async () => {
  await skipped({ kty: "oct", kid: "s", k: b64(Buffer.alloc(32, 7)) });
  await skipped({ kty: "oct", alg: "HS256", k: "AA" });
  await skipped(good.jwk({ kid: "x", alg: "HS256" }));
  const only = await read({ keys: [{ kty: "oct", kid: "s", alg: "ES256", k: b64(Buffer.alloc(32, 7)) }] });
  assert.equal(only.lastError, "no_usable_key");
});

test("a private key condemns the set", async () => {
  for (const member of ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"]) {
    const { lastError } = await read({ keys: [good.jwk(), new Key("ES256", "x").jwk({ [member]: "AA" })] });
    assert.equal(lastError, "private_material", member);
  }
});

test("points are whole and on the curve", async () => {
  const ec = new Key("ES256", "ec").jwk();
  const x = Buffer.from(ec["x"] as string, "base64url");
  const off = Buffer.from(x);
  off[31] = (off[31] ?? 0) ^ 1;
  const bad: Json[] = [
    { x: b64(x.subarray(0, 31)) },
    { x: b64(Buffer.concat([Buffer.of(0), x])) },
    { x: b64(off) },
    { x: `${b64(x)}=` },
    { x: 1 },
    { x: b64(Buffer.alloc(32, 0xff)) },
    { y: b64(Buffer.alloc(32)) },
    { y: "" },
    { y: null },
    { x: b64(Buffer.alloc(32)), y: b64(Buffer.alloc(32)) },
    ...["P-384", "P-521", "secp256k1", "p-256", ""].map((crv) => ({ crv })),
  ];
  for (const changes of bad) await skipped({ ...ec, ...changes });
});

test("Ed25519 points are canonical, on the curve, and of no small order", async () => {
  const okp = new Key("Ed25519", "okp").jwk();
  const x = Buffer.from(okp["x"] as string, "base64url");
  const off = Buffer.alloc(32);
  off[0] = 2;
  for (const bytes of [x.subarray(0, 31), Buffer.concat([x, Buffer.of(0)]), off, Buffer.alloc(32, 0xff)]) {
    await skipped({ ...okp, x: b64(bytes) });
  }
  for (const hex of [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ]) {
    await skipped({ ...okp, x: b64(Buffer.from(hex, "hex")) }, hex);
  }
  for (const crv of ["Ed448", "X25519"]) await skipped({ ...okp, crv });
  for (let round = 0; round < 20; round++) {
    assert.equal((await read({ keys: [new Key("Ed25519", "okp").jwk()] })).number, 1);
  }
});

test("weak RSA keys are passed over", async () => {
  const rsa = new Key("RS256", "rsa").jwk();
  const n = Buffer.from(rsa["n"] as string, "base64url");
  const even = Buffer.from(n);
  even[n.length - 1] = (even[n.length - 1] ?? 0) & 0xfe;
  const sized = (bytes: number) => Buffer.concat([Buffer.of(0xc0), Buffer.alloc(bytes - 2, 0x55), Buffer.of(0x5b)]);
  for (const e of [[], [0], [1], [2], [3], [1, 0, 0], [0, 1, 0, 1]]) await skipped({ ...rsa, e: b64(Buffer.from(e)) });
  const leading = Buffer.concat([Buffer.of(0), n]);
  const short = Buffer.concat([Buffer.of(0x7f), sized(255)]);
  for (const bytes of [Buffer.alloc(0), even, sized(128), short, leading, sized(1025), sized(2049)]) {
    await skipped({ ...rsa, n: b64(bytes) }, `${bytes.length} bytes`);
  }
  assert.equal((await read({ keys: [rsa] })).number, 1);
});

test("an RSA modulus of the ROCA structure is passed over", async () => {
  const primes = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
  ];
  const more = [107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167];
  // 1 modulo all of them: the product, times 2, shifted up to 2048 bits and more, plus 1.
  let product = [...primes, ...more].reduce((all, prime) => all * BigInt(prime), 2n);
  while (product >> 2047n === 0n) product <<= 1n;
  const hex = (product + 1n).toString(16);
  const n = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  await skipped(new Key("RS256", "rsa").jwk({ n: b64(n) }));
});

test("two keys of one name and algorithm: none of them can be meant", async () => {
  const named = (alg: Alg) => new Key(alg, "same");
  const [ec, okp] = [named("ES256"), named("Ed25519")];
  const both = await read({ keys: [ec.jwk(), okp.jwk()] });
  assert.equal(both.number, 2, "of two algorithms the token's chooses");
  await both.verifier.verify(ec.good());
  await both.verifier.verify(okp.good());
  assert.equal((await refusalOf(both.verifier.verify(named("RS256").good()))).code, "algorithm");
  assert.equal((await read({ keys: [ec.jwk(), ec.jwk()] })).number, 1, "the same key twice counts once");
  const ambiguous = await read({ keys: [ec.jwk(), named("ES256").jwk(), ec.jwk(), good.jwk()] });
  assert.equal(ambiguous.number, 1);
});

test("a set that is none is refused as a whole", async () => {
  const bad = ["<html>200 OK</html>", "", "{}", "[]", '{"keys":{}}', '{"keys":null}', '{"keys":[]', '{"keys":[]}x'];
  for (const body of [...bad, '{"keys":[],"keys":[]}']) assert.equal((await read(body)).lastError, "malformed", body);
  assert.equal((await read(`{"keys":[]}${" ".repeat(512 * 1024)}`)).lastError, "too_large");
  assert.equal((await read({ keys: Array(101).fill({}) })).lastError, "too_many_keys");
  assert.equal((await read({ keys: [] })).lastError, "no_usable_key");
});

test("keys for something else are passed over", async () => {
  const key = new Key("ES256", "x").jwk();
  for (const bad of [
    { kty: "AKP", alg: "ML-DSA-44", pub: "AA" },
    { kty: "ec" },
    {},
    "x",
    null,
    { kty: 1 },
    { ...key, alg: "ES384" },
    { ...key, alg: "RS256" },
    { ...key, alg: "toString" },
    { ...key, use: "enc" },
    { ...key, use: ["sig"] },
    { ...key, key_ops: ["sign"] },
    { ...key, key_ops: [] },
    { ...key, key_ops: "verify" },
    { ...key, kid: "" },
    { ...key, kid: 1 },
    { ...key, kid: "a\nb" },
    { ...key, kid: "x".repeat(257) },
  ]) {
    await skipped(bad);
  }
  for (const fine of [{ key_ops: ["verify"] }, { x5t: "digest" }, { exp: 1 }, { ext: true }]) {
    assert.equal((await read({ keys: [{ ...key, ...fine }] })).number, 1);
  }
});

test("a key without alg has the algorithm of its type, and one only", async () => {
  const rsa = new Key("RS256", "rsa");
  const { verifier } = await read({ keys: [rsa.jwk({ alg: undefined })] });
  await verifier.verify(rsa.good());
  assert.equal((await refusalOf(verifier.verify(rsa.as("PS256").good()))).code, "algorithm");
  const { verifier: legacy } = await read({ keys: [new Key("Ed25519", "o").jwk({ alg: "EdDSA" })] });
  assert.equal(legacy.health().keys.number, 1);
});

test("a key without kid goes by its thumbprint (RFC 7638)", async () => {
  const key = new Key("ES256", "unnamed");
  const { crv, kty, x, y } = key.jwk() as Record<string, string>;
  const { createHash } = await import("node:crypto");
  const thumbprint = createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
  const { verifier } = await read({ keys: [key.jwk({ kid: undefined })] });
  await verifier.verify(key.token(key.header({ kid: thumbprint }), claims()));
});
