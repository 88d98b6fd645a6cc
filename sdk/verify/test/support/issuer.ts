// A forger: signs any header and any payload with a key that the verifier trusts.
import { constants, createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export const ISSUER = "https://id.example";
export const AUDIENCE = "https://api.example";
/** The second at which the tests' clock begins. */
export const NOW = 1_750_000_000;
export const SID = "01976f5c-2f80-7abc-8def-0123456789ab";

export type Alg = "ES256" | "Ed25519" | "RS256" | "PS256";
export type Json = { [name: string]: unknown };

/** Base64url of a text, of bytes, or of the JSON of anything else. */
export function b64(value: unknown): string {
  const bytes = value instanceof Uint8Array ? value : typeof value === "string" ? value : JSON.stringify(value);
  return Buffer.from(bytes as string).toString("base64url");
}

/** A key pair with its key id. */
export class Key {
  readonly #private: KeyObject;
  readonly #public: KeyObject;

  constructor(
    readonly alg: Alg,
    readonly kid: string,
    pair?: { privateKey: KeyObject; publicKey: KeyObject },
  ) {
    const { privateKey, publicKey } = pair ?? generate(alg);
    this.#private = privateKey;
    this.#public = publicKey;
  }

  /** The same numbers under another algorithm. */
  as(alg: Alg): Key {
    return new Key(alg, this.kid, { privateKey: this.#private, publicKey: this.#public });
  }

  named(kid: string): Key {
    return new Key(this.alg, kid, { privateKey: this.#private, publicKey: this.#public });
  }

  jwk(changes: Json = {}): Json {
    return {
      ...(this.#public.export({ format: "jwk" }) as Json),
      kid: this.kid,
      alg: this.alg,
      use: "sig",
      ...changes,
    };
  }

  pem(): string {
    return this.#public.export({ type: "spki", format: "pem" }) as string;
  }

  der(): Buffer {
    return this.#public.export({ type: "spki", format: "der" }) as Buffer;
  }

  privateJwk(): Json {
    return createPrivateKey(this.#private.export({ type: "pkcs8", format: "pem" })).export({
      format: "jwk",
    }) as Json;
  }

  signature(input: string): Buffer {
    const data = Buffer.from(input);
    switch (this.alg) {
      case "ES256":
        return sign("sha256", data, { key: this.#private, dsaEncoding: "ieee-p1363" });
      case "Ed25519":
        return sign(null, data, this.#private);
      case "RS256":
        return sign("sha256", data, this.#private);
      case "PS256":
        return sign("sha256", data, {
          key: this.#private,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: 32,
        });
    }
  }

  /** Signs two segments that are encoded already. */
  seal(input: string): string {
    return `${input}.${this.signature(input).toString("base64url")}`;
  }

  /** Signs these texts, bytes or objects, whatever they are. */
  token(header: unknown, payload: unknown): string {
    return this.seal(`${b64(header)}.${b64(payload)}`);
  }

  header(changes: Json = {}): Json {
    return without({ alg: this.alg, typ: "at+jwt", kid: this.kid, ...changes });
  }

  /** A good token, with these claims set, or removed if they are undefined. */
  good(changes: Json = {}): string {
    return this.token(this.header(), claims(changes));
  }
}

/** Good claims, to be spoilt. */
export function claims(changes: Json = {}, now = NOW): Json {
  return without({
    iss: ISSUER,
    sub: "ada",
    aud: AUDIENCE,
    client_id: "web",
    iat: now,
    exp: now + 600,
    jti: "t-1",
    sid: SID,
    scope: "read write:all",
    auth_time: now - 60,
    amr: ["pwd"],
    name: "Ada",
    ...changes,
  });
}

/** The MAC of a text, as a forger makes it of a public key. */
export function mac(secret: string | Buffer, input: string): string {
  return createHmac("sha256", secret).update(input).digest("base64url");
}

function without(members: Json): Json {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

function generate(alg: Alg) {
  if (alg === "ES256") return generateKeyPairSync("ec", { namedCurve: "P-256" });
  if (alg === "Ed25519") return generateKeyPairSync("ed25519");
  return generateKeyPairSync("rsa", { modulusLength: 2048 });
}
