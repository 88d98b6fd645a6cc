// Signatures have one length and one form.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Forge } from "../support/forge.js";
import { claims } from "../support/issuer.js";

const ORDER = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");

function cut(token: string): { input: string; signature: Buffer } {
  const dot = token.lastIndexOf(".");
  return { input: token.slice(0, dot), signature: Buffer.from(token.slice(dot + 1), "base64url") };
}

async function refused(forge: Forge, input: string, signature: Uint8Array, what: string): Promise<void> {
  await forge.refused(`${input}.${Buffer.from(signature).toString("base64url")}`, "bad_signature", what);
}

test("a signature has to be there, and no zeros", async () => {
  for (const alg of ["ES256", "Ed25519", "RS256", "PS256"] as const) {
    const forge = new Forge(alg);
    const { input, signature } = cut(forge.key.good());
    await forge.refused(`${input}.`, "malformed");
    await refused(forge, input, new Uint8Array(signature.length), alg);
    await forge.verify(forge.key.good());
  }
});

test("ES256: r and s are from 1 to the order less 1", async () => {
  const forge = new Forge();
  const { input, signature } = cut(forge.key.good());
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
  const zero = Buffer.alloc(32);
  const top = Buffer.alloc(32, 0xff);
  const above = Buffer.from(ORDER);
  above[31] = (above[31] ?? 0) + 1;
  const pairs = [
    [zero, zero],
    [zero, s],
    [r, zero],
    [ORDER, ORDER],
    [ORDER, s],
    [r, ORDER],
    [above, s],
    [r, above],
    [top, top],
  ];
  for (const pair of pairs) await refused(forge, input, Buffer.concat(pair), "out of range");
});

test("ES256: a signature is 64 bytes, and no DER", async () => {
  const forge = new Forge();
  const { input, signature } = cut(forge.key.good());
  const integer = (number: Buffer) => {
    const digits = (number[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), number]) : number;
    return Buffer.concat([Buffer.of(2, digits.length), digits]);
  };
  const numbers = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))]);
  await refused(forge, input, Buffer.concat([Buffer.of(0x30, numbers.length), numbers]), "DER");
  await refused(forge, input, signature.subarray(0, 63), "63 bytes");
  await refused(forge, input, Buffer.concat([signature, Buffer.of(0)]), "65 bytes");
});

test("Ed25519: neither cut nor with points of small order", async () => {
  const forge = new Forge("Ed25519");
  const { input, signature } = cut(forge.key.good());
  await refused(forge, input, signature.subarray(0, 63), "63 bytes");
  await refused(forge, input, Buffer.concat([signature, Buffer.of(0)]), "65 bytes");
  for (const first of [0, 1, 0xec, 0xed, 0xee]) {
    const r = Buffer.alloc(32, first < 2 ? 0 : 0xff);
    r[0] = first;
    for (const last of [(r[31] ?? 0) & 0x7f, (r[31] ?? 0) | 0x80]) {
      r[31] = last;
      await refused(forge, input, Buffer.concat([r, signature.subarray(32)]), "r of small order");
      await refused(forge, input, Buffer.concat([r, Buffer.alloc(32)]), "r of small order, s = 0");
    }
  }
});

test("any bit of any part that is changed is noticed", async () => {
  const forge = new Forge();
  const { input, signature } = cut(forge.key.good());
  for (let bit = 0; bit < 512; bit += 7) {
    const flipped = Buffer.from(signature);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await refused(forge, input, flipped, `bit ${bit}`);
  }
  const other = forge.key.good({ sub: "eve" });
  const [header, payload] = other.split(".");
  await refused(forge, `${header}.${payload}`, signature, "another payload");
});

test("RSA: a signature by the other padding is none", async () => {
  for (const [alg, other] of [
    ["RS256", "PS256"],
    ["PS256", "RS256"],
  ] as const) {
    const forge = new Forge(alg);
    const twin = forge.key.as(other);
    await forge.refused(twin.token(forge.key.header(), claims()), "bad_signature");
  }
});

test("a refusal says nothing of the token", async () => {
  const forge = new Forge();
  const secret = forge.key.good({ name: "very-private" });
  const { input, signature } = cut(secret);
  const wrong = Buffer.from(signature).reverse().toString("base64url");
  const codes = new Set<string>();
  for (const token of [`${input}.${wrong}`, secret.slice(1), `${secret}.x`, forge.key.good({ cnf: "very-private" })]) {
    const error = await forge.refusal(token);
    codes.add(error.code);
    const said = `${error} ${error.stack} ${JSON.stringify(error)} ${error.cause}`;
    for (const part of token.split(".")) assert.ok(part.length < 12 || !said.includes(part.slice(0, 12)), said);
  }
  assert.deepEqual([...codes], ["bad_signature", "malformed", "claim"]);
});
