// The same requests to Express, Fastify, Hono and a plain fetch handler: the same answers from all of them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { answer, type Verifier, VerifyError } from "@daypass/verify";
import * as forExpress from "@daypass/verify/express";
import * as forFastify from "@daypass/verify/fastify";
import * as forFetch from "@daypass/verify/fetch";
import * as forHono from "@daypass/verify/hono";
import { getRequestListener, serve } from "@hono/node-server";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { FeedHarness } from "./support/followed.js";
import { Forge, refusalOf } from "./support/forge.js";
import { Harness } from "./support/keyserver.js";
import { type Answered, get, listen, type Running } from "./support/server.js";

/** Which verifier, and the routes: `/me`, `/orders` and `/both` by scope, `/maybe` without need, `/open` by mistake. */
type Make = (verifier: Verifier) => Promise<Running>;

const makeExpress: Make = async (verifier) => {
  const { authenticate, auth, optionalAuth, requireScope } = forExpress;
  const app = express();
  app.get("/open", (request, response) => void response.json(auth(request).sub));
  app.get("/maybe", authenticate(verifier, { optional: true }), (request, response) => {
    response.json({ sub: optionalAuth(request)?.sub ?? null });
  });
  app.get("/maybe/not", authenticate(verifier, { optional: true }), requireScope("read"), (_, response) => {
    response.json("through");
  });
  app.get("/both", authenticate(verifier, { scope: ["read", "admin"], realm: 'shop "1"' }), (_, response) => {
    response.json("through");
  });
  app.use(authenticate(verifier));
  app.get("/me", (request, response) => void response.json({ sub: auth(request).sub }));
  app.get("/orders", requireScope("orders"), (_, response) => void response.json("through"));
  app.get("/read", requireScope("read"), (_, response) => void response.json("through"));
  app.use(((error, _request, response, _next) => {
    response.status(500).json({ error: error.name });
  }) satisfies express.ErrorRequestHandler);
  return listen(app);
};

const makeFastify: Make = async (verifier) => {
  const { authenticate, auth, optionalAuth, requireScope } = forFastify;
  const app = fastify();
  app.setErrorHandler((error: Error, _, reply) => reply.code(500).send({ error: error.name }));
  app.get("/open", (request) => auth(request).sub);
  const optional = authenticate(verifier, { optional: true });
  app.get("/maybe", { onRequest: optional }, (request) => ({ sub: optionalAuth(request)?.sub ?? null }));
  app.get("/maybe/not", { onRequest: [optional, requireScope("read")] }, () => '"through"');
  const both = authenticate(verifier, { scope: ["read", "admin"], realm: 'shop "1"' });
  app.get("/both", { onRequest: both }, () => '"through"');
  app.register(async (closed) => {
    closed.addHook("onRequest", authenticate(verifier));
    closed.get("/me", (request) => ({ sub: auth(request).sub }));
    closed.get("/orders", { onRequest: requireScope("orders") }, () => '"through"');
    closed.get("/read", { onRequest: requireScope("read") }, () => '"through"');
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  return { port: Number(new URL(app.listeningOrigin).port), stop: () => app.close() };
};

const makeHono: Make = async (verifier) => {
  const { authenticate, auth, optionalAuth, requireScope } = forHono;
  const app = new Hono();
  app.onError((error, c) => c.json({ error: error.name }, 500));
  app.get("/open", (c) => c.json(auth(c).sub));
  const optional = authenticate(verifier, { optional: true });
  app.get("/maybe", optional, (c) => c.json({ sub: optionalAuth(c)?.sub ?? null }));
  app.get("/maybe/not", optional, requireScope("read"), (c) => c.json("through"));
  const both = authenticate(verifier, { scope: ["read", "admin"], realm: 'shop "1"' });
  app.get("/both", both, (c) => c.json("through"));
  app.use(authenticate(verifier));
  app.get("/me", (c) => c.json({ sub: auth(c).sub }));
  app.get("/orders", requireScope("orders"), (c) => c.json("through"));
  app.get("/read", requireScope("read"), (c) => c.json("through"));
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => {
      resolve({ port, stop: async () => void server.close() });
    });
  });
};

const makeFetch: Make = async (verifier) => {
  const { authenticate, auth } = forFetch;
  const through = () => Response.json("through");
  const routes: Record<string, (request: Request) => Response | Promise<Response>> = {
    "/open": (request) => Response.json(auth(request).sub),
    "/maybe": authenticate(verifier, (_, claims) => Response.json({ sub: claims?.sub ?? null }), { optional: true }),
    // A scope is asked of a token; where none is needed, one without has to be told apart by the handler.
    "/maybe/not": authenticate(verifier, through, { scope: "read" }),
    "/both": authenticate(verifier, through, { scope: ["read", "admin"], realm: 'shop "1"' }),
    "/me": authenticate(verifier, (request, claims) => {
      assert.equal(auth(request), claims);
      return Response.json({ sub: claims.sub });
    }),
    "/orders": authenticate(verifier, through, { scope: "orders" }),
    "/read": authenticate(verifier, through, { scope: "read" }),
  };
  const handler = async (request: Request) => {
    try {
      return (await routes[new URL(request.url).pathname]?.(request)) ?? new Response("", { status: 404 });
    } catch (error) {
      return Response.json({ error: (error as Error).name }, { status: 500 });
    }
  };
  return listen(getRequestListener(handler));
};

const FRAMEWORKS: [string, Make][] = [
  ["express", makeExpress],
  ["fastify", makeFastify],
  ["hono", makeHono],
  ["fetch", makeFetch],
];

const challengeOf = (answered: Answered) => answered.headers["www-authenticate"];
const INVALID = 'Bearer realm="daypass", error="invalid_token", error_description=';

for (const [name, make] of FRAMEWORKS) {
  const forge = new Forge();
  let server: Running;
  const bearer = (token: string) => `Bearer ${token}`;
  before(async () => {
    server = await make(forge.verifier);
  });
  after(() => server.stop());

  test(`${name}: a good token passes, with its claims`, async () => {
    for (const scheme of ["Bearer", "bearer", "BEARER  "]) {
      const answered = await get(server.port, "/me", `${scheme} ${forge.key.good()}`);
      assert.deepEqual([answered.status, JSON.parse(answered.body)], [200, { sub: "ada" }]);
    }
  });

  test(`${name}: without a token there is a challenge, and no error`, async () => {
    for (const lines of [[], ["Basic YTpi"], ["DPoP abc"]]) {
      const answered = await get(server.port, "/me", ...lines);
      assert.deepEqual([answered.status, challengeOf(answered)], [401, 'Bearer realm="daypass"']);
      assert.equal(JSON.parse(answered.body).type, "urn:daypass:problem:unauthenticated");
      assert.deepEqual(
        [answered.headers["content-type"]?.toString().split(";")[0], answered.headers["cache-control"]],
        ["application/problem+json", "no-store"],
      );
    }
    const inQuery = await get(server.port, `/me?access_token=${forge.key.good()}`);
    assert.equal(inQuery.status, 401);
  });

  test(`${name}: a bad token is 401 invalid_token, and only an expired one is told so`, async () => {
    const expired = await get(server.port, "/me", bearer(forge.key.good({ iat: 1_749_999_000, exp: 1_749_999_600 })));
    assert.deepEqual([expired.status, challengeOf(expired)], [401, `${INVALID}"the access token has expired"`]);
    for (const token of ["abc", forge.key.good({ aud: "other" }), `${forge.key.good().slice(0, -4)}AAAA`]) {
      const answered = await get(server.port, "/me", bearer(token));
      assert.deepEqual([answered.status, challengeOf(answered)], [401, `${INVALID}"the access token is not valid"`]);
      assert.equal(JSON.parse(answered.body).detail, "the access token is not valid");
    }
  });

  test(`${name}: two tokens, or none where one should be, are 400`, async () => {
    const good = bearer(forge.key.good());
    for (const lines of [
      [good, good],
      [good, "Bearer x"],
      ["Basic YTpi", good],
      ["Bearer"],
      ["Bearer a b"],
      ["Bearer a,b"],
    ]) {
      const answered = await get(server.port, "/me", ...lines);
      assert.equal(answered.status, 400, lines.map((line) => line.slice(0, 12)).join());
      assert.equal(challengeOf(answered), 'Bearer realm="daypass", error="invalid_request"');
    }
  });

  test(`${name}: a scope that is lacking is 403, and named`, async () => {
    const answered = await get(server.port, "/orders", bearer(forge.key.good()));
    assert.equal(answered.status, 403);
    assert.equal(
      challengeOf(answered),
      'Bearer realm="daypass", error="insufficient_scope", error_description="the access token lacks a scope", scope="orders"',
    );
    assert.equal((await get(server.port, "/read", bearer(forge.key.good()))).status, 200);
    assert.equal((await get(server.port, "/orders", bearer(forge.key.good({ scope: "orders:all" })))).status, 403);
    assert.equal((await get(server.port, "/orders", bearer(forge.key.good({ scope: "orders" })))).status, 200);
    const both = await get(server.port, "/both", bearer(forge.key.good()));
    assert.equal(both.status, 403);
    assert.match(String(challengeOf(both)), /realm="shop \?1\?".*scope="admin"/);
    assert.equal((await get(server.port, "/both", bearer(forge.key.good({ scope: "admin read" })))).status, 200);
  });

  test(`${name}: optional: absent is none, present but bad is 401`, async () => {
    const maybe = async (...lines: string[]) => get(server.port, "/maybe", ...lines);
    assert.deepEqual(JSON.parse((await maybe()).body), { sub: null });
    assert.deepEqual(JSON.parse((await maybe("Basic YTpi")).body), { sub: null });
    assert.deepEqual(JSON.parse((await maybe(bearer(forge.key.good()))).body), { sub: "ada" });
    for (const bad of [bearer("abc"), bearer(forge.key.good({ aud: "other" })), "DPoP abc"]) {
      assert.equal((await maybe(bad)).status, 401, bad.slice(0, 12));
    }
    assert.equal((await get(server.port, "/maybe/not")).status, 401, "a scope needs a token");
  });

  test(`${name}: a route that asks for a token behind no middleware is not open`, async () => {
    const answered = await get(server.port, "/open", bearer(forge.key.good()));
    assert.deepEqual([answered.status, JSON.parse(answered.body)], [500, { error: "ConfigError" }]);
  });

  test(`${name}: keys that cannot be had are 503 with Retry-After, and no challenge`, async () => {
    const harness = new Harness({}, ({ server }) => server.always(() => new Response("", { status: 503 })));
    await harness.rests();
    const running = await make(harness.verifier);
    const answered = await get(running.port, "/me", bearer(harness.good()));
    assert.deepEqual([answered.status, answered.headers["retry-after"], challengeOf(answered)], [503, "10", undefined]);
    assert.equal(JSON.parse(answered.body).type, "urn:daypass:problem:unavailable");
    await running.stop();
  });

  test(`${name}: an ended session is 401 and told so; a stale feed is 503 if it is to be refused`, async () => {
    await FeedHarness.with({ whenStale: "refuse", maxStalenessMs: 5000 }, async (harness) => {
      await harness.firstReading();
      const running = await make(harness.verifier);
      const token = bearer(harness.good());
      assert.equal((await get(running.port, "/me", token)).status, 200);
      harness.clock.suspend(6000);
      const stale = await get(running.port, "/me", token);
      assert.deepEqual([stale.status, stale.headers["retry-after"], challengeOf(stale)], [503, "1", undefined]);
      harness.end({ sub: "ada", not_before_ms: harness.clock.wall() });
      await harness.poll();
      const ended = await get(running.port, "/me", token);
      assert.deepEqual(
        [ended.status, challengeOf(ended)],
        [401, `${INVALID}"the session of the access token is over"`],
      );
      await running.stop();
    });
  });
}

test("the answer is there for those who use no middleware", async () => {
  const forge = new Forge();
  const error = await refusalOf(forge.verify("abc"));
  assert.ok(error instanceof VerifyError);
  const { status, headers, body } = answer(error, "shop");
  assert.equal(status, 401);
  assert.match(headers["www-authenticate"] ?? "", /^Bearer realm="shop", error="invalid_token"/);
  assert.equal(JSON.parse(body).status, 401);
});
