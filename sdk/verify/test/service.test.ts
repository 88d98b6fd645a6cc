// The real service: its tokens under every algorithm, and its feed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVerifier, hasScope, isClient, remoteKeys, revocationFeed, type Verifier } from "@daypass/verify";
import { until } from "./support/clock.js";
import { Daypass } from "./support/daypass.js";
import { refusalOf } from "./support/forge.js";
import type { Alg } from "./support/issuer.js";

function verifierOf(service: Daypass, algorithm: Alg, mode: "poll" | "stream"): Verifier {
  return createVerifier({
    issuer: service.url,
    audience: service.url,
    algorithms: [algorithm],
    keys: remoteKeys(`${service.url}/.well-known/jwks.json`),
    revocation: revocationFeed({
      url: service.url,
      clientId: "api",
      clientSecret: service.feedSecret,
      mode,
      pollEveryMs: 50,
      whenStale: "refuse",
    }),
  });
}

const ended = (verifier: Verifier, token: string) =>
  until(async () => {
    const refusal = await verifier.verify(token).then(
      () => undefined,
      (error) => error.code,
    );
    return refusal === "revoked";
  }, "the end of the session");

for (const algorithm of ["ES256", "Ed25519", "RS256", "PS256"] as const) {
  test(`the service's ${algorithm} tokens pass, and are refused after the sign-out`, async () => {
    await Daypass.with(algorithm, async (service) => {
      const verifier = verifierOf(service, algorithm, "poll");
      const [pair, other] = [await service.signIn(), await service.signIn()];
      const claims = await verifier.verify(pair.access_token);
      assert.equal(claims.sid, pair.session_id);
      assert.ok(hasScope(claims, "orders") && !isClient(claims));
      await verifier.verify(other.access_token);
      await service.signOut(pair);
      await ended(verifier, pair.access_token);
      assert.equal((await refusalOf(verifier.verify(pair.access_token))).status, 401);
      await verifier.verify(other.access_token);
      verifier.close();
    });
  });
}

test("s32 a verifier is told as sessions end, and follows a service that is restarted", async () => {
  await Daypass.with("ES256", async (service) => {
    const verifier = verifierOf(service, "ES256", "stream");
    const pair = await service.signIn();
    await verifier.verify(pair.access_token);
    assert.equal(verifier.health().revocations?.mode, "stream");
    await service.signOut(pair);
    await ended(verifier, pair.access_token);
    // The service is restarted: nothing is forgotten, and what ends later is noticed.
    await service.stop();
    await service.start();
    const later = await service.signIn();
    await until(async () => (await verifier.verify(later.access_token).catch(() => undefined)) !== undefined);
    await service.signOut(later);
    await ended(verifier, later.access_token);
    await ended(verifier, pair.access_token);
    verifier.close();
  });
});

test("a token for another audience, or of another service, does not pass", async () => {
  await Daypass.with("ES256", async (service) => {
    const { access_token: token } = await service.signIn();
    const keys = remoteKeys(`${service.url}/.well-known/jwks.json`);
    const other = createVerifier({ issuer: service.url, audience: "https://api.example", keys });
    assert.equal((await refusalOf(other.verify(token))).code, "audience");
    const foreign = createVerifier({ issuer: "https://id.example", audience: service.url, keys });
    assert.equal((await refusalOf(foreign.verify(token))).code, "issuer");
    other.close();
    foreign.close();
  });
});
