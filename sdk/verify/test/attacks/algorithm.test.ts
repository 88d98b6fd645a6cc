// The algorithm is the key's, on the list, and spelt right.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, createVerifier, type HeaderAlgorithm, staticKeys } from "@daypass/verify";
import { Forge } from "../support/forge.js";
import { type Alg, AUDIENCE, b64, claims, ISSUER, Key, mac } from "../support/issuer.js";

test("none is no algorithm, in any spelling, with or without a signature", async () => {
  const forge = new Forge();
  const signature = forge.key.good().split(".")[2];
  for (const alg of ["none", "None", "NONE", "nOnE", "none ", "non\u0435"]) {
    const input = `${b64(forge.key.header({ alg }))}.${b64(claims())}`;
    await forge.refused(`${input}.${signature}`, "algorithm", alg);
    await forge.refused(`${input}.`, "malformed", alg);
    await forge.refused(input, "malformed", alg);
  }
  await forge.verify(forge.key.good());
});

test("alg is an exact text", async () => {
  const forge = new Forge();
  const odd = [undefined, null, "", 256, ["ES256"], { ES256: true }, "es256", "ES256\0", " ES256", "ES256 "];
  for (const alg of odd) await forge.refused(forge.withHeader({ alg }), "algorithm", String(alg));
});

test("a public key is no secret: RS, ES and Ed keys never verify an HS256 token", async () => {
  for (const alg of ["ES256", "Ed25519", "RS256"] as const) {
    const forge = new Forge(alg);
    const jwk = forge.key.jwk();
    const forms = [JSON.stringify(jwk), forge.key.pem(), forge.key.pem().trim(), forge.key.der()];
    for (const member of ["x", "n"]) {
      const number = jwk[member];
      if (typeof number === "string") forms.push(number, Buffer.from(number, "base64url"));
    }
    for (const secret of forms) {
      const input = `${b64(forge.key.header({ alg: "HS256" }))}.${b64(claims())}`;
      await forge.refused(`${input}.${mac(secret, input)}`, "algorithm", alg);
      // Under the name of the key's own algorithm a MAC is no signature.
      const disguised = `${b64(forge.key.header())}.${b64(claims())}`;
      await forge.refused(`${disguised}.${mac(secret, disguised)}`, "bad_signature", alg);
    }
    await forge.verify(forge.key.good());
  }
});

test("HS256 cannot even be listed", () => {
  const listed = (algorithms: unknown) => () =>
    createVerifier({
      issuer: ISSUER,
      audience: AUDIENCE,
      algorithms: algorithms as [HeaderAlgorithm],
      keys: staticKeys({ keys: [] }),
    });
  for (const bad of [["HS256"], ["none"], [], "ES256", ["ES256", "HS256"], ["es256"]]) {
    assert.throws(listed(bad), ConfigError, JSON.stringify(bad));
  }
});

test("one key has one algorithm: an RS256 key takes no PS256 token, and the other way round", async () => {
  const rs = new Key("RS256", "k1");
  const ps = rs.as("PS256");
  for (const [published, other] of [
    [rs, ps],
    [ps, rs],
  ] as const) {
    const forge = new Forge("RS256", { algorithms: ["RS256", "PS256"] }, [published]);
    await forge.refused(other.good(), "algorithm");
    await forge.verify(published.good());
  }
});

test("neighbours of known algorithms are unknown", async () => {
  const forge = new Forge("RS256", { algorithms: ["RS256", "PS256", "ES256", "Ed25519"] });
  const others = ["RS384", "RS512", "PS384", "ES384", "ES512", "Ed448", "ES256K", "HS1", "RS1", "ML-DSA-44"];
  for (const alg of [...others, "A128KW", "dir", "PBES2-HS256+A128KW", "EdDSA"]) {
    await forge.refused(forge.withHeader({ alg }), "algorithm", alg);
  }
});

test("an algorithm that is not on the list is refused, whatever the key", async () => {
  const key = new Key("Ed25519", "k1");
  const forge = new Forge("ES256", { algorithms: ["ES256"] }, [key, new Key("ES256", "k2")]);
  await forge.refused(key.good(), "algorithm");
});

test("EdDSA, the old name of Ed25519, is taken where it is listed", async () => {
  const old = (forge: Forge) => forge.withHeader({ alg: "EdDSA" });
  const strict = new Forge("Ed25519");
  await strict.refused(old(strict), "algorithm");
  const both = new Forge("Ed25519", { algorithms: ["Ed25519", "EdDSA"] });
  await both.verify(old(both));
  await both.verify(both.key.good());
});

test("every algorithm signs and verifies", async () => {
  for (const alg of ["ES256", "Ed25519", "RS256", "PS256"] as Alg[]) {
    const forge = new Forge(alg);
    assert.equal((await forge.verify(forge.key.good())).sub, "ada", alg);
  }
});
