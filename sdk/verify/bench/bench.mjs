// How fast tokens are judged, beside jose's bare signature check in the same interleaved run, and what a flood of
// invented key ids does to good tokens. Ends with an error on a wrong answer.
//
//   npm run bench [-- --seconds 4] [--algorithm ES256]
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { createVerifier, remoteKeys } from "@daypass/verify";
import { compactVerify, exportJWK, generateKeyPair, jwtVerify, SignJWT } from "jose";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "4" }, algorithm: { type: "string", default: "ES256" } },
});
const seconds = Number(values.seconds);
const alg = values.algorithm;
const TOKENS = 500;
const SLICE = 100; // milliseconds of one way before it is the next one's turn
const [issuer, audience] = ["https://id.example", "https://api.example"];

const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
const jwk = { ...(await exportJWK(publicKey)), kid: "k1", alg, use: "sig" };
const tokens = await Promise.all(Array.from({ length: TOKENS }, (_, at) => mint(at)));
const fetch = async () => Response.json({ keys: [jwk] });
const make = (cacheBytes) =>
  createVerifier({
    issuer,
    audience,
    algorithms: [alg],
    keys: remoteKeys(`${issuer}/keys`),
    fetch,
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
  });
const [cached, uncached] = [make(), make(0)];

function mint(at, kid = "k1") {
  return new SignJWT({
    client_id: "web",
    scope: "read write",
    sid: "01976f5c-2f80-7abc-8def-0123456789ab",
    name: "Ada",
  })
    .setProtectedHeader({ alg, typ: "at+jwt", kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(`user-${at}`)
    .setJti(`t-${at}`)
    .setIssuedAt()
    .setExpirationTime("50m")
    .sign(privateKey);
}

const decoder = new TextDecoder();
const ways = [
  ["verify, token seen before", async (token) => (await cached.verify(token)).sub],
  ["verify, new token", async (token) => (await uncached.verify(token)).sub],
  [
    "jose compactVerify: the signature alone",
    async (token) =>
      JSON.parse(decoder.decode((await compactVerify(token, publicKey, { algorithms: [alg] })).payload)).sub,
  ],
  [
    "jose jwtVerify: signature and claims",
    async (token) =>
      (await jwtVerify(token, publicKey, { algorithms: [alg], issuer, audience, typ: "at+jwt" })).payload.sub,
  ],
].map(([name, act]) => ({ name, act, calls: 0, ms: 0 }));

/** Every way refuses what it has to, before any of them is measured. */
async function checkAnswers() {
  const [token] = tokens;
  const forged = `${token.slice(0, token.lastIndexOf("."))}.${"A".repeat(86)}`;
  for (const { name, act } of ways) {
    assert.equal(await act(token), "user-0", name);
    await assert.rejects(act(forged), name);
  }
  for (const verifier of [cached, uncached]) await assert.rejects(verifier.verify(await mint(0, "unknown")));
}

async function slice(way) {
  const start = performance.now();
  const end = start + SLICE;
  let at = 0;
  do {
    // One after the other, as within a request; many requests at once share the same threads.
    for (let batch = 0; batch < 32; batch++, at++) {
      const place = at % TOKENS;
      if ((await way.act(tokens[place])) !== `user-${place}`) throw new Error(`${way.name}: a wrong answer`);
    }
  } while (performance.now() < end);
  way.calls += at;
  way.ms += performance.now() - start;
}

/** The slowest hundredth of good tokens that were not seen before, in microseconds, with and without a flood. */
async function flood() {
  const times = { calm: [], flooded: [] };
  const junk = await Promise.all(Array.from({ length: 200 }, (_, at) => mint(at, `invented-${at}`)));
  for (let round = 0; round < 40; round++) {
    for (const kind of ["calm", "flooded"]) {
      for (let at = 0; at < 50; at++) {
        const refused =
          kind === "flooded"
            ? uncached.verify(junk[(round * 50 + at) % junk.length]).then(
                () => true,
                () => false,
              )
            : false;
        const start = performance.now();
        assert.equal((await uncached.verify(tokens[at])).sub, `user-${at}`);
        times[kind].push((performance.now() - start) * 1000);
        assert.equal(await refused, false, "an invented key passed");
      }
    }
  }
  const p99 = (list) => list.sort((a, b) => a - b)[Math.floor(list.length * 0.99)];
  return { calm: p99(times.calm), flooded: p99(times.flooded) };
}

const line = (name, ...columns) => console.log(name.padEnd(42), ...columns.map((column) => column.padStart(12)));
await checkAnswers();
for (const way of ways) await slice({ ...way }); // warm up
for (let round = 0; round < (seconds * 1000) / SLICE; round++) for (const way of ways) await slice(way);
line(`${alg}, Node ${process.versions.node}`, "calls/s", "us/call");
for (const { name, calls, ms } of ways)
  line(name, `${Math.round((calls / ms) * 1000)}`, ((ms * 1000) / calls).toFixed(2));
const { calm, flooded } = await flood();
line("new token, slowest hundredth", "", `${calm.toFixed(0)}`);
line("  beside a flood of invented key ids", "", `${flooded.toFixed(0)}`);
cached.close();
uncached.close();
