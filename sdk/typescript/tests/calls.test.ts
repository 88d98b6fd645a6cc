// Calls to APIs: who gets the token, and what is made again. Redirects are followed by the platform, over real HTTP.

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createSession, notReplayed } from "@daypass/client";
import { flush } from "./support/clock.js";
import { API } from "./support/service.js";
import { gate, REFRESH, Stage, until } from "./support/stage.js";

const REFUSED = { status: 401, headers: { "www-authenticate": 'Bearer error="invalid_token"' } };

async function old(): Promise<{ stage: Stage; session: ReturnType<typeof createSession> }> {
  const stage = new Stage();
  const { session } = await stage.signedIn();
  await stage.clock.advance(60_000);
  return { stage, session };
}

test("s21 a body of bytes is sent again as it was, once", async () => {
  const bodies: [BodyInit, string?][] = [
    ["text"],
    [new Uint8Array([1, 2, 3])],
    [new Blob(["blob"])],
    [new URLSearchParams({ a: "b" })],
    [new Uint8Array(100_000).fill(120)],
  ];
  for (const [body] of bodies) {
    const { stage, session } = await old();
    stage.service.next("/orders", REFUSED);
    const answer = await stage.clock.through(session.fetch(`${API}/orders`, { method: "POST", body }));
    assert.equal(answer.status, 200);
    const [first, second] = stage.service.requests("/orders");
    assert.equal(first?.body, second?.body);
    assert.equal(first?.headers.get("content-type"), second?.headers.get("content-type"));
    assert.notEqual(first?.headers.get("authorization"), second?.headers.get("authorization"));
  }
});

test("s21 what the caller does with his bytes later changes nothing", async () => {
  const { stage, session } = await old();
  const bytes = new Uint8Array([97, 98]);
  stage.service.next("/orders", REFUSED);
  const call = session.fetch(new Request(`${API}/orders`, { method: "PUT", body: bytes }));
  bytes[0] = 120;
  await stage.clock.through(call);
  assert.deepEqual(
    stage.service.requests("/orders").map(({ body }) => body),
    ["ab", "ab"],
  );
});

test("s21 a streamed body: the 401 with the marker, and the token is renewed", async () => {
  const { stage, session } = await old();
  const token = await session.getAccessToken();
  stage.service.next("/orders", REFUSED);
  const body = new Blob(["x"]).stream();
  const answer = await stage.clock.through(
    session.fetch(`${API}/orders`, { method: "POST", body, duplex: "half" } as RequestInit),
  );
  assert.deepEqual([answer.status, notReplayed(answer)], [401, "body"]);
  assert.notEqual(await session.getAccessToken(), token);
  assert.equal(stage.service.requests("/orders").length, 1);
});

test("a call of one person is not made again as another", async () => {
  const { stage, session } = await old();
  const held = gate();
  stage.service.next("/orders", { hold: held.opened, before: true });
  const call = session.fetch(`${API}/orders`, { method: "POST", body: "x" });
  await until(() => stage.service.requests("/orders").length === 1);
  await stage.clock.through(session.signIn({ username: "bob", password: "right" }));
  await flush();
  held.open();
  const answer = await stage.clock.through(call);
  assert.deepEqual([answer.status, notReplayed(answer)], [401, "somebody_else"]);
});

test("only 401 with invalid_token makes a call again", async () => {
  for (const [status, challenge] of [
    [401, "Bearer"],
    [401, 'Bearer error="insufficient_scope"'],
    [401, 'Basic realm="x"'],
    [403, 'Bearer error="invalid_token"'],
    [500, 'Bearer error="invalid_token"'],
  ] as const) {
    const { stage, session } = await old();
    stage.service.next("/orders", { status, headers: { "www-authenticate": challenge } });
    const answer = await stage.clock.through(session.fetch(`${API}/orders`));
    assert.equal(answer.status, status);
    assert.equal(stage.service.requests("/orders").length + stage.service.requests(REFRESH).length, 1);
  }
});

test("the token goes to allowed origins only, and an Authorization of the caller's stays", async () => {
  const stage = new Stage();
  const { session } = await stage.signedIn();
  const others = [
    "https://evil.example",
    "http://api.example",
    "https://api.example:8443",
    "https://api.example.evil",
    "https://id.example",
  ];
  for (const origin of others) {
    await session.fetch(`${origin}/x`);
    assert.equal(stage.service.seen.at(-1)?.headers.get("authorization"), null, origin);
  }
  await session.fetch(`${API}/x`, { headers: { authorization: "Basic eA==" } });
  assert.equal(stage.service.seen.at(-1)?.headers.get("authorization"), "Basic eA==");
  await session.fetch(new URL(`${API}/x`));
  assert.match(stage.service.seen.at(-1)?.headers.get("authorization") ?? "", /^Bearer at/);
});

test("a caller who stops waiting gets his reason, and a call without a session its error", async () => {
  const { stage, session } = await old();
  await stage.clock.advance(600_000);
  stage.service.next(REFRESH, { hold: new Promise(() => undefined), before: true });
  const stop = new AbortController();
  const call = session.fetch(`${API}/x`, { signal: stop.signal });
  await until(() => stage.service.requests(REFRESH).length === 1);
  stop.abort(new Error("enough"));
  await assert.rejects(call, /enough/);
  await stage.clock.through(session.signOut());
  await assert.rejects(session.fetch(`${API}/x`), { code: "signed_out", reason: "signed_out" });
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, close: () => server.close().closeAllConnections() };
}

test("the platform's fetch drops the token on a redirect to another origin, and a refusal there renews nothing", async () => {
  const seen: [string, string | undefined][] = [];
  const note = (name: string, request: IncomingMessage) =>
    seen.push([name + request.url, request.headers.authorization]);
  const foreign = await serve((request, response) => {
    note("foreign", request);
    response.writeHead(401, { "www-authenticate": 'Bearer error="invalid_token"' }).end();
  });
  const api = await serve((request, response) => {
    note("api", request);
    const location = request.url === "/away" ? `${foreign.origin}/x` : "/here";
    if (request.url === "/here") response.end("here");
    else response.writeHead(307, { location }).end();
  });
  const stage = new Stage();
  const own = stage.service.fetch();
  const { session } = await stage.signedIn({
    allowedOrigins: [api.origin],
    environment: {
      fetch: (input, init) => (String(input).startsWith("https://id.") ? own(input, init) : fetch(input, init)),
    },
  });
  await stage.clock.advance(60_000);
  assert.equal(await (await session.fetch(`${api.origin}/near`)).text(), "here");
  assert.equal((await session.fetch(`${api.origin}/away`, { method: "POST", body: "x" })).status, 401);
  foreign.close();
  api.close();
  const tokens = seen.map(([where, token]) => [where, token?.startsWith("Bearer at")]);
  assert.deepEqual(tokens, [
    ["api/near", true],
    ["api/here", true],
    ["api/away", true],
    ["foreign/x", undefined],
  ]);
  assert.equal(stage.service.requests(REFRESH).length, 0);
});

test("a redirect of the service's is not followed", async () => {
  const seen: (string | undefined)[] = [];
  const other = await serve((request, response) => {
    seen.push(request.url);
    response.end();
  });
  const service = await serve((_, response) => response.writeHead(307, { location: `${other.origin}/v1/login` }).end());
  const session = createSession({ baseUrl: service.origin, allowedOrigins: [], transport: "token" });
  await assert.rejects(session.signIn({ username: "ada", password: "right" }), { code: "unavailable" });
  assert.deepEqual(seen, []);
  other.close();
  service.close();
});
