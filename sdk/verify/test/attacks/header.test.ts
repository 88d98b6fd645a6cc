// Header parameters that would bring a key, or change what is signed.
import { test } from "node:test";
import { Forge } from "../support/forge.js";
import { claims, Key } from "../support/issuer.js";

test("parameters that change the rules are refused: zip, jwk, jku, x5u, x5c, b64, cty, enc", async () => {
  const forge = new Forge();
  const attacker = new Key("ES256", "k1");
  for (const [name, value] of [
    ["zip", "DEF"],
    ["jwk", attacker.jwk()],
    ["jku", "https://evil.example/jwks.json"],
    ["jku", "http://169.254.169.254/"],
    ["jku", "file:///etc/passwd"],
    ["x5u", "https://evil.example/cert.pem"],
    ["x5c", ["MIIB"]],
    ["b64", false],
    ["b64", true],
    ["cty", "JWT"],
    ["enc", "A128GCM"],
  ] as const) {
    await forge.refused(forge.withHeader({ [name]: value }), "header", name);
  }
});

test("an embedded key with its own signature opens nothing", async () => {
  const forge = new Forge();
  const attacker = new Key("ES256", "evil");
  for (const kid of ["evil", "k1"]) {
    const header = attacker.header({ kid, jwk: attacker.jwk() });
    await forge.refused(attacker.token(header, claims()), "header", kid);
  }
});

test("crit is never understood, whatever it names", async () => {
  const forge = new Forge();
  for (const crit of [["exp"], [], ["b64", "b64"], "b64", ["unknown"], ["alg"], [1], {}, null]) {
    await forge.refused(forge.withHeader({ crit }), "header", JSON.stringify(crit));
  }
  await forge.refused(forge.withHeader({ crit: ["b64"], b64: false }), "header");
});

test("a key id is only looked up", async () => {
  const forge = new Forge();
  const odd = [
    "../../dev/null",
    "/proc/self/environ",
    "' OR 1=1--",
    "*)(uid=*",
    "|id",
    "\u202e",
    "key\uff0e",
    "1",
    "K1",
  ];
  for (const kid of [...odd, "__proto__", "constructor", "x".repeat(256)]) {
    await forge.refused(forge.withHeader({ kid }), "unknown_key", kid);
  }
  for (const kid of ["", "a\r\nb", "a\0", "x".repeat(257)]) {
    await forge.refused(forge.withHeader({ kid }), "header", kid);
  }
  await forge.refused(forge.withHeader({ kid: "x".repeat(1_000_000) }), "too_large");
});

test("a key id is a text, and has to be there", async () => {
  const forge = new Forge();
  for (const kid of [undefined, null, 1, true, ["k1"], { kid: "k1" }]) {
    await forge.refused(forge.withHeader({ kid }), "header", JSON.stringify(kid));
  }
});

test("a key of somebody else is unknown, or its signature is wrong", async () => {
  const forge = new Forge();
  await forge.refused(new Key("ES256", "k2").good(), "unknown_key");
  await forge.refused(new Key("ES256", "k1").good(), "bad_signature");
});

test("the type is exact", async () => {
  const forge = new Forge();
  const odd = [undefined, "JWT", "at+JWT", "AT+JWT", "at+jwt ", "at jwt", "at+jwt;x=1", "application/at+jwt;x=1"];
  const more = ["APPLICATION/at+jwt", "application/application/at+jwt", "", ["at+jwt"], null];
  const others = ["logout+jwt", "secevent+jwt", "dpop+jwt", "id+jwt", "token-introspection+jwt"];
  for (const typ of [...odd, ...more, ...others]) {
    await forge.refused(forge.withHeader({ typ }), "type", JSON.stringify(typ));
  }
  await forge.verify(forge.withHeader({ typ: "application/at+jwt" }));
});

test("unknown parameters are ignored", async () => {
  const forge = new Forge();
  await forge.verify(forge.withHeader({ "x-trace": { a: [1] } }));
  await forge.verify(forge.withHeader({ "x5t#S256": "digest" }));
});
