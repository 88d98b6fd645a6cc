// The client against the service as it is built.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createSession, indexedDbStore, memoryStore, type Session, type SessionOptions } from "@daypass/client";
import { IDBFactory } from "fake-indexeddb";
import { Binary, PASSWORD } from "./support/binary.js";

const ADA = { username: "ada", password: PASSWORD };

let service: Binary;
const open: Session[] = [];

before(async () => {
  service = await Binary.start({ DAYPASS_TOKENS__ACCESS: "10m" });
});

after(async () => {
  for (const session of open) session.close();
  await service.end();
});

function session(options: Partial<SessionOptions> = {}): Session {
  const made = createSession({
    baseUrl: service.origin,
    allowedOrigins: [service.origin],
    transport: "token",
    ...options,
    environment: { now: () => Date.now() + ahead, running: () => performance.now() + ahead, ...options.environment },
  });
  open.push(made);
  return made;
}

/** How far the clients' clocks are ahead of the service's, in milliseconds. */
let ahead = 0;

/** By the clocks of all clients, the tokens that they have are over. */
function aLifetime(): void {
  ahead += 600_000;
}

/** A browser's cookie jar around the platform's fetch, and the headers that browsers add. */
function browser(): { cookie: string | undefined; fetch: typeof fetch; lose: number; requests: number } {
  const jar = {
    cookie: undefined as string | undefined,
    lose: 0,
    requests: 0,
    fetch: async (input: string | URL | Request, init?: RequestInit) => {
      jar.requests++;
      const headers = new Headers(input instanceof Request ? input.headers : init?.headers);
      headers.set("origin", service.origin);
      const sends = init?.credentials === "include";
      if (sends && jar.cookie) headers.set("cookie", jar.cookie);
      const response = await fetch(input, { ...init, headers });
      const [set] = response.headers.getSetCookie();
      if (jar.lose-- > 0) throw new TypeError("cut");
      const [pair = ""] = set?.split(";") ?? [];
      if (sends && set) jar.cookie = pair.endsWith("=") ? undefined : pair;
      return response;
    },
  };
  return jar;
}

test("sign in, call, renew, sign out", async () => {
  const one = session();
  await assert.rejects(one.getAccessToken(), { code: "signed_out" });
  await assert.rejects(one.signIn({ ...ADA, password: "wrong" }), { code: "credentials" });
  await one.signIn({ ...ADA, label: "a test" });
  const first = await one.getAccessToken();
  aLifetime();
  const rotated = await service.renewals("rotated");
  const tokens = await Promise.all(Array.from({ length: 100 }, () => one.getAccessToken()));
  assert.equal((await service.renewals("rotated")) - rotated, 1);
  assert.ok(new Set(tokens).size === 1 && !tokens.includes(first));
  assert.equal((await one.fetch(`${service.origin}/v1/me`)).status, 200);
  const other = session();
  await other.signIn(ADA);
  await one.signOut({ everywhere: true });
  aLifetime();
  await assert.rejects(other.getAccessToken(), { code: "signed_out", reason: "revoked" });
});

test("s16 a lost answer brings the same successor", async () => {
  let lose = 0;
  const store = memoryStore();
  const fetching: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    if (lose-- > 0) throw new TypeError("cut");
    return answer;
  };
  const one = session({ store, environment: { fetch: fetching } });
  await one.signIn(ADA);
  aLifetime();
  lose = 2;
  await one.getAccessToken();
  assert.equal((await store.load()).record?.generation, 1);
});

test("a copy of the refresh token is noticed", async () => {
  const store = memoryStore();
  const one = session({ store });
  await one.signIn(ADA);
  const { record } = await store.load();
  aLifetime();
  const stolen = await fetch(`${service.origin}/v1/refresh`, {
    method: "POST",
    headers: { "content-type": "application/json", "daypass-attempt": `0:${"t".repeat(22)}` },
    body: JSON.stringify({ refresh_token: record?.refresh_token }),
  });
  assert.equal(stolen.status, 200);
  await assert.rejects(one.getAccessToken(), { reason: "reused" });
});

test("the service killed and started again under its clients signs nobody out", async () => {
  const one = session();
  await one.signIn(ADA);
  aLifetime();
  await service.kill();
  const call = one.getAccessToken();
  await service.serve();
  await call;
  assert.equal(one.state.status, "active");
});

test("the cookie transport: renewals, lost answers, pages loaded anew, sign-out", async () => {
  const jar = browser();
  const environment = { fetch: jar.fetch, indexedDB: new IDBFactory(), channel: () => undefined };
  const page = () => session({ transport: "cookie", environment });
  const one = page();
  await assert.rejects(one.getAccessToken(), { code: "signed_out", reason: "not_signed_in" });
  await one.signIn(ADA);
  assert.match(jar.cookie ?? "", /^__Host-Http-daypass=dpr_/);
  aLifetime();
  await one.getAccessToken();
  jar.lose = 2;
  aLifetime();
  await one.getAccessToken();
  const two = page();
  const me = await two.fetch(`${service.origin}/v1/me`);
  assert.equal(me.status, 200, (await me.text()) + me.headers.get("www-authenticate"));
  // What knows of the session is gone, and the cookie is not.
  const three = session({ transport: "cookie", environment: { ...environment, indexedDB: new IDBFactory() } });
  assert.equal((await three.fetch(`${service.origin}/v1/me`)).status, 200);
  await three.signOut();
  assert.equal(jar.cookie, undefined);
  assert.equal(await service.renewals("reused"), 0, "since the service was started again");
});

test("a blocked cookie is told by name", async () => {
  const jar = browser();
  const fetching: typeof fetch = async (input, init) => {
    jar.cookie = undefined;
    return jar.fetch(input, init);
  };
  const store = indexedDbStore({ environment: { indexedDB: new IDBFactory() } });
  const one = session({ transport: "cookie", store, environment: { fetch: fetching, channel: () => undefined } });
  await one.signIn(ADA);
  aLifetime();
  const before = jar.requests;
  for (let i = 0; i < 3; i++) await assert.rejects(one.getAccessToken(), { code: "cookie_missing" });
  assert.equal(jar.requests - before, 1);
});
