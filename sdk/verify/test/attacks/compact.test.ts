// The outer form of a token, base64url and JSON.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Forge } from "../support/forge.js";
import { b64, claims, ISSUER, NOW } from "../support/issuer.js";

const text = (value: unknown) => JSON.stringify(value);

test("there are exactly three segments, none empty", async () => {
  const forge = new Forge();
  const good = forge.key.good();
  const [header, payload, signature] = good.split(".");
  for (const token of [
    "",
    `${header}`,
    `${header}.${payload}`,
    `${good}.x`,
    `${good}.`,
    `.${good}`,
    `${good}.a.b`,
    `${header}..${signature}`,
    `.${payload}.${signature}`,
    `${header}.${payload}.`,
    "..",
    ".".repeat(16_000),
    `${header}.${payload}.${signature}.${signature}`,
  ]) {
    await forge.refused(token, "malformed", token.slice(0, 40));
  }
  await forge.refused(`${good}AA`, "bad_signature", "trailing bytes");
  await forge.refused(".".repeat(1_000_000), "too_large");
  await forge.verify(good);
});

test("what is no text is no token", async () => {
  const forge = new Forge();
  for (const odd of [undefined, null, 1, {}, [forge.key.good()], { toString: () => forge.key.good() }]) {
    await forge.refused(odd as unknown as string, "malformed");
  }
});

test("base64url has one alphabet and no padding", async () => {
  const forge = new Forge();
  const good = forge.key.good();
  const parts = good.split(".");
  const odd = ["=", "==", "+", "/", " ", "\n", "\r\n", "\t", "\0", "%2E", '"', "{", "\u3002", "\uff0e"];
  for (let segment = 0; segment < 3; segment++) {
    const part = parts[segment] ?? "";
    for (const junk of odd) {
      for (const place of [0, part.length >> 1, part.length]) {
        const spoilt = parts.with(segment, part.slice(0, place) + junk + part.slice(place));
        await forge.refused(spoilt.join("."), "malformed", `${text(junk)} in ${segment} at ${place}`);
      }
    }
  }
  await forge.refused(good.replace(".", "\u3002"), "malformed", "a look-alike dot");
  await forge.refused(forge.key.seal(`${parts[0]}=.${parts[1]}`), "malformed", "signed padding");
});

test("base64url is canonical: unused bits are zero, also under the signature", async () => {
  const forge = new Forge();
  const good = forge.key.good();
  const next = (part: string) => part.slice(0, -1) + String.fromCharCode(part.charCodeAt(part.length - 1) + 1);
  const parts = good.split(".");
  // 64 bytes leave four unused bits.
  await forge.refused(`${parts[0]}.${parts[1]}.${next(parts[2] ?? "")}`, "malformed", "the signature");
  let tried = 0;
  for (const spaces of ["", " ", "  "]) {
    const header = b64(text(forge.key.header()) + spaces);
    const payload = b64(text(claims()) + spaces);
    if (header.length % 4 !== 0) await forge.refused(forge.key.seal(`${next(header)}.${payload}`), "malformed");
    if (payload.length % 4 !== 0) await forge.refused(forge.key.seal(`${header}.${next(payload)}`), "malformed");
    tried += Number(header.length % 4 !== 0) + Number(payload.length % 4 !== 0);
  }
  assert.equal(tried, 4);
  await forge.refused(forge.key.seal(`${parts[0]}.AAAAA`), "malformed", "a length of 1 modulo 4");
});

test("JSON serialisation, lists and nesting are not spoken", async () => {
  const forge = new Forge();
  const good = forge.key.good();
  const [header, payload, signature] = good.split(".");
  await forge.refused(text({ protected: header, payload, signature }), "malformed");
  await forge.refused(text({ payload, signatures: [{ protected: header, signature }] }), "malformed");
  await forge.refused(text({ x: good }), "malformed");
  for (const list of [`Bearer ${good}`, `${good} ${good}`, `${good},${good}`]) await forge.refused(list, "malformed");
  await forge.refused(forge.withPayload(good), "malformed");
});

test("encryption is not spoken", async () => {
  const forge = new Forge();
  await forge.refused(`${b64({ alg: "RSA-OAEP", enc: "A256GCM" })}.a.b.c.d`, "malformed");
  const header = { alg: "PBES2-HS256+A128KW", enc: "A128GCM", p2c: 2 ** 31 - 1, zip: "DEF" };
  await forge.refused(forge.key.token(header, {}), "algorithm");
});

test("size is looked at first", async () => {
  const forge = new Forge();
  await forge.refused("\0".repeat(16 * 1024 + 1), "too_large");
  await forge.refused(forge.withClaims({ x: "y".repeat(16_000) }), "too_large");
});

test("members are unique, at every level, escaped or not", async () => {
  const forge = new Forge();
  const [header, payload] = [text(forge.key.header()), text(claims())];
  const doubled = (json: string, member: string) => json.replace("{", `{${member},`);
  for (const member of ['"alg":"ES256"', '"\\u0061lg":"ES256"', '"typ":"at+jwt"', '"x":{"a":1,"a":1}']) {
    await forge.refused(forge.key.token(doubled(header, member), payload), "malformed", member);
  }
  for (const member of [
    '"aud":"https://api.example"',
    '"\\u0061ud":"x"',
    '"exp":9999999999',
    '"sub":"root"',
    '"name":"Eve"',
    '"deep":{"a":[{"b":1,"b":2}]}',
    '"a:b":1,"a:b":2',
    '"__proto__":1,"__proto__":2',
  ]) {
    await forge.refused(forge.key.token(header, doubled(payload, member)), "malformed", member);
  }
  for (const fine of ['"other":{"a":1,"b":1}', '"other":":\\":,{\\\\"', '"o:t\\\\":["a:b",{"c:d":":"}]']) {
    await forge.verify(forge.key.token(header, doubled(payload, fine)));
  }
});

test("header and payload are one JSON object each, in strict JSON and UTF-8", async () => {
  const forge = new Forge();
  const [header, payload] = [text(forge.key.header()), text(claims())];
  for (const bad of [
    "[]",
    '"x"',
    "1",
    "null",
    " ",
    payload.slice(0, -1),
    `${payload}x`,
    `${payload}{}`,
    `${payload}\0`,
    `${payload}//`,
    `\ufeff${payload}`,
    Buffer.from(payload, "utf16le"),
    Buffer.from('{"iss":"\xff"}', "latin1"),
    '{"iss":"\\ud83d"}',
    '{"\\udc00":1}',
    "{/* */}",
    '{"exp":NaN}',
    '{"exp":Infinity}',
    '{"exp":1e999}',
    '{"exp":01}',
    '{"exp":0x1}',
    '{"exp":1,}',
    "{'exp':1}",
  ]) {
    await forge.refused(forge.key.token(header, bad), "malformed", String(bad));
    await forge.refused(forge.key.token(bad, payload), "malformed", String(bad));
  }
  await forge.verify(forge.key.token(header, `${payload} \r\n\t`));
});

test("names have no control characters", async () => {
  const forge = new Forge();
  await forge.refused(forge.withClaims({ iss: `${ISSUER}\0` }), "issuer");
  for (const claim of ["sub", "client_id", "jti", "sid"]) {
    await forge.refused(forge.withClaims({ [claim]: "a\0b" }), "claim", claim);
    await forge.refused(forge.withClaims({ [claim]: "a\u0085b" }), "claim", claim);
  }
});

test("depth and members are bounded", async () => {
  const forge = new Forge();
  const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
  const withMember = (member: string) => forge.withPayload(text(claims()).replace("{", `{${member},`));
  for (const levels of [17, 200, 5000])
    await forge.refused(withMember(`"x":${deep(levels)}`), "malformed", `${levels}`);
  const many = Array.from({ length: 257 }, (_, at) => `"k${at}":0`).join(",");
  await forge.refused(withMember(many), "malformed", "many members");
  await forge.verify(withMember(`"x":${deep(8)}`));
  await forge.refused(forge.withPayload(text({ x: "y".repeat(1_000_000), exp: NOW })), "too_large");
});

test("a claim named __proto__ changes no prototype", async () => {
  const forge = new Forge();
  const payload = text(claims()).replace("{", '{"__proto__":{"admin":true},"constructor":{"admin":true},');
  const read = await forge.verify(forge.withPayload(payload));
  assert.equal(read["admin"], undefined);
  assert.equal(({} as Record<string, unknown>)["admin"], undefined);
});
