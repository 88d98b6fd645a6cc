// Times, issuer, audience, and who a token stands for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, createVerifier, hasScope, isClient, staticKeys } from "@daypass/verify";
import { Forge } from "../support/forge.js";
import { AUDIENCE, claims, ISSUER, Key, NOW } from "../support/issuer.js";

test("dates are numbers", async () => {
  const forge = new Forge();
  for (const claim of ["exp", "iat", "nbf"]) {
    for (const value of ["9999999999", null, true, [NOW], {}, ""]) {
      await forge.refused(forge.withClaims({ [claim]: value }), "claim", `${claim} ${JSON.stringify(value)}`);
    }
  }
  await forge.refused(forge.withClaims({ exp: undefined }), "claim");
  await forge.refused(forge.withClaims({ iat: undefined }), "claim");
  await forge.verify(forge.withClaims({ nbf: NOW }));
});

test("the past is over, and the far future never comes", async () => {
  const forge = new Forge();
  for (const exp of [-1, 0, -1.5e9, NOW - 5, -(2 ** 31)]) {
    await forge.refused(forge.withClaims({ exp }), "expired", `${exp}`);
  }
  const withExp = (exp: string) =>
    forge.withPayload(JSON.stringify(claims()).replace(`"exp":${NOW + 600}`, `"exp":${exp}`));
  const far = ["9007199254740993", "9223372036854775807", "18446744073709551615", "99999999999999999999", "1e308"];
  for (const exp of [...far, "-1e308"]) await forge.refused(withExp(exp), "claim", exp);
  for (const exp of ["1750000600.5", "1.7500006e9", "1750000600.0"]) {
    assert.equal((await forge.verify(withExp(exp))).exp, NOW + 600, exp);
  }
});

test("time has its limits to the second", async () => {
  const at = async (forge: Forge, second: number) => {
    const token = forge.key.good();
    forge.clock.setWall(second * 1000);
    return forge.verify(token).then(
      () => "ok",
      (error) => error.code,
    );
  };
  const forge = new Forge();
  assert.equal(await at(forge, NOW + 604), "ok", "within the leeway of 5 s");
  assert.equal(await at(forge, NOW + 605), "expired");
  assert.equal(await at(forge, NOW - 30), "ok", "iat within the leeway of 30 s");
  assert.equal(await at(forge, NOW - 31), "not_yet_valid");
  const exact = new Forge("ES256", { leewaySeconds: 0, futureLeewaySeconds: 0 });
  assert.equal(await at(exact, NOW + 599), "ok");
  assert.equal(await at(exact, NOW + 600), "expired");
  assert.equal(await at(exact, NOW - 1), "not_yet_valid");
  exact.clock.setWall(NOW * 1000);
  // Fractions are rounded towards refusal.
  await exact.refused(exact.withClaims({ nbf: NOW + 0.5 }), "not_yet_valid");
  await exact.refused(exact.withClaims({ exp: NOW + 0.5 }), "expired");
});

test("a token that was seen before ends at its second, too", async () => {
  const forge = new Forge();
  const token = forge.key.good();
  await forge.verify(token);
  forge.clock.advance(604_000);
  await forge.verify(token);
  forge.clock.advance(1000);
  await forge.refused(token, "expired");
  forge.clock.setWall((NOW - 31) * 1000);
  await forge.refused(token, "not_yet_valid");
});

test("a lifetime has its limit, and a beginning before its end", async () => {
  const forge = new Forge();
  await forge.verify(forge.withClaims({ exp: NOW + 3600 }));
  for (const changes of [{ exp: NOW + 3601 }, { iat: NOW - 3001 }, { iat: 0 }, { exp: NOW + 10, iat: NOW + 20 }]) {
    await forge.refused(forge.withClaims(changes), "claim", JSON.stringify(changes));
  }
  for (const iat of [NOW + 31, NOW + 61, NOW + 700]) await forge.refused(forge.withClaims({ iat }), "not_yet_valid");
  await forge.verify(forge.withClaims({ iat: NOW + 30 }));
});

test("nbf is kept", async () => {
  const forge = new Forge();
  await forge.refused(forge.withClaims({ nbf: NOW + 31 }), "not_yet_valid");
  await forge.verify(forge.withClaims({ nbf: NOW + 30 }));
  await forge.refused(forge.withClaims({ nbf: NOW + 601 }), "claim");
});

test("the issuer is exact: no list, no slash, no other spelling", async () => {
  const forge = new Forge();
  for (const iss of [
    undefined,
    [ISSUER],
    null,
    { iss: ISSUER },
    "",
    `${ISSUER}/`,
    "https://ID.example",
    "HTTPS://id.example",
    "http://id.example",
    "https://user@id.example",
    "https://id.example:443",
    "https://id.example.evil.example",
    "https://evil.example/https://id.example",
    "https://id.exampl",
    "https://\u0456d.example",
    " https://id.example",
  ]) {
    await forge.refused(forge.withClaims({ iss }), "issuer", JSON.stringify(iss));
  }
});

test("the audience is exact, and texts only", async () => {
  const forge = new Forge();
  for (const aud of [
    undefined,
    null,
    "",
    [],
    [""],
    1,
    [[AUDIENCE]],
    [AUDIENCE, 1],
    { aud: AUDIENCE },
    "https://api.exampl",
    `${AUDIENCE}/`,
    "https://API.example",
    "https://api.example,https://other.example",
    "https://api.example https://other.example",
    ["https://other.example"],
  ]) {
    await forge.refused(forge.withClaims({ aud }), "audience", JSON.stringify(aud));
  }
  const several = ["https://other.example", AUDIENCE];
  assert.deepEqual((await forge.verify(forge.withClaims({ aud: several }))).aud, several);
  const second = new Forge("ES256", { audience: [AUDIENCE, "second"] });
  await second.verify(second.withClaims({ aud: "second" }));
});

test("checks come in order, and claims wait for the signature", async () => {
  // Each token has every fault from its step on; the first one is named.
  const forge = new Forge();
  const header: Record<string, unknown> = { alg: "none", typ: "JWT", kid: "stranger" };
  const payload: Record<string, unknown> = { iss: "x", aud: "x", exp: NOW - 600, iat: NOW - 900, sub: 1 };
  const refusedAs = (code: string) => forge.refused(forge.key.token(header, payload), code, code);
  await refusedAs("algorithm");
  header["alg"] = "ES256";
  await refusedAs("type");
  header["typ"] = "at+jwt";
  await refusedAs("issuer");
  payload["iss"] = ISSUER;
  await refusedAs("expired");
  payload["exp"] = NOW + 600;
  await refusedAs("audience");
  payload["aud"] = AUDIENCE;
  await refusedAs("unknown_key");
  header["kid"] = "k1";
  await forge.refused(new Key("ES256", "k1").token(header, payload), "bad_signature", "sub is not judged yet");
  await refusedAs("claim");
});

test("required claims are there, and texts of 1 to 255 bytes", async () => {
  const forge = new Forge();
  for (const claim of ["sub", "client_id", "jti"]) {
    for (const value of [undefined, "", 1, null, ["a"], "x".repeat(256), "\u00e9".repeat(128)]) {
      await forge.refused(forge.withClaims({ [claim]: value }), "claim", `${claim} ${JSON.stringify(value)}`);
    }
    await forge.verify(forge.withClaims({ [claim]: "x".repeat(255) }));
  }
  for (const changes of [{ sid: 1 }, { acr: [] }, { amr: "pwd" }, { amr: [1] }, { auth_time: "1" }, { scope: null }]) {
    await forge.refused(forge.withClaims(changes), "claim", JSON.stringify(changes));
  }
});

test("a client is no person of that name", async () => {
  const forge = new Forge();
  assert.equal(isClient(await forge.verify(forge.key.good())), false);
  assert.equal(isClient(await forge.verify(forge.withClaims({ sub: "web" }))), true);
});

test("scopes are whole words", async () => {
  const forge = new Forge();
  for (const scope of [["read"], "admin\0", "a\tb", "a  b", " a", "a ", "a\nb", '"a"', "caf\u00e9", "a\\b"]) {
    await forge.refused(forge.withClaims({ scope }), "claim", JSON.stringify(scope));
  }
  const read = await forge.verify(forge.withClaims({ scope: "read:all write" }));
  assert.ok(hasScope(read, "read:all") && hasScope(read, "write"));
  for (const absent of ["read", "read:al", "READ:ALL", "write ", "", "read:all write"]) {
    assert.ok(!hasScope(read, absent), absent);
  }
  assert.equal((await forge.verify(forge.withClaims({ scope: undefined }))).scope, "");
});

test("a token that is bound to a key is no bearer token", async () => {
  const forge = new Forge();
  const jkt = { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" };
  for (const cnf of [jkt, { "x5t#S256": "digest" }, {}, "x", null, []]) {
    await forge.refused(forge.withClaims({ cnf }), "claim", JSON.stringify(cnf));
  }
});

test("claims and scopes that the API insists on", async () => {
  const forge = new Forge("ES256", { requireClaims: ["name"], requireScopes: ["read"] });
  await forge.verify(forge.key.good({ name: false }));
  for (const name of [undefined, null]) await forge.refused(forge.withClaims({ name }), "claim");
  const refusal = await forge.refusal(forge.withClaims({ scope: "write" }));
  assert.deepEqual([refusal.code, refusal.status, refusal.scope], ["scope", 403, "read"]);
  // A token that was seen before lacks it still.
  await forge.refused(forge.withClaims({ scope: "write" }), "scope");
});

test("the claims of a token cannot be changed for whoever sends it next", async () => {
  const forge = new Forge();
  const token = forge.withClaims({ roles: ["reader"], nested: { admin: false } });
  const read = await forge.verify(token);
  assert.throws(() => (read["roles"] as string[]).push("admin"), TypeError);
  assert.throws(() => ((read as { sub: string }).sub = "eve"), TypeError);
  assert.throws(() => ((read["nested"] as { admin: boolean }).admin = true), TypeError);
  assert.deepEqual((await forge.verify(token))["roles"], ["reader"]);
});

test("a verifier without issuer, audience or keys, or with silly limits, is not made", () => {
  const good = { issuer: ISSUER, audience: AUDIENCE, keys: staticKeys({ keys: [] }) } as const;
  const fails = (changes: object) =>
    assert.throws(() => createVerifier({ ...good, ...changes }), ConfigError, JSON.stringify(changes));
  for (const issuer of [undefined, "", 1, [ISSUER]]) fails({ issuer });
  for (const audience of [undefined, "", [], [""], [AUDIENCE, ""]]) fails({ audience });
  for (const keys of [undefined, null, {}, "https://id.example"]) fails({ keys });
  fails({ types: [""] });
  fails({ leewaySeconds: 301 });
  fails({ futureLeewaySeconds: -1 });
  fails({ leewaySeconds: NaN });
  fails({ maxLifetimeSeconds: 0 });
});
