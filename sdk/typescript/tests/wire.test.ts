// The request halves and the response halves alone: values in, values out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { refusesToken } from "../node_modules/@daypass/client/dist/call/challenge.js";
import { renewed, withId } from "../node_modules/@daypass/client/dist/record.js";
import { readLogin, readRefresh } from "../node_modules/@daypass/client/dist/wire/answer.js";
import { readPair } from "../node_modules/@daypass/client/dist/wire/pair.js";
import {
  endAllRequest,
  loginRequest,
  logoutRequest,
  refreshRequest,
} from "../node_modules/@daypass/client/dist/wire/request.js";
import { retryAfter } from "../node_modules/@daypass/client/dist/wire/retry-after.js";

const PAIR = {
  access_token: "a.b.c",
  token_type: "Bearer",
  expires_in: 600,
  refresh_in: 480,
  server_time: 1_750_000_000_000,
  session_id: "s",
  generation: 3,
  refresh_token: "dpr_x",
};

function reply(status: number, type: string, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { status, headers: new Headers({ "content-type": type, ...headers }), body: text };
}

const json = (status: number, body: unknown, headers?: Record<string, string>) =>
  reply(status, "application/json", body, headers);

test("a token is renewed by body, a cookie by itself", () => {
  const byToken = refreshRequest("https://id.example/auth", "dpr_x", "7:x, 6:y");
  assert.deepEqual(byToken, {
    url: "https://id.example/auth/v1/refresh",
    method: "POST",
    headers: { "Content-Type": "application/json", "Daypass-Attempt": "7:x, 6:y" },
    body: '{"refresh_token":"dpr_x"}',
    credentials: "omit",
  });
  const byCookie = refreshRequest("https://id.example", undefined, "7:x");
  assert.equal(byCookie.credentials, "include");
  assert.equal(byCookie.headers["Daypass-CSRF"], "1");
  assert.equal(byCookie.body, "{}");
  assert.equal("Daypass-Attempt" in refreshRequest("https://id.example", undefined, "").headers, false);
});

test("sign-ins and sign-outs are what the contract says", () => {
  const login = loginRequest("https://id.example", "token", { username: "ada", password: "p" }, "shop");
  assert.equal(login.body, '{"username":"ada","password":"p","transport":"body","client_id":"shop"}');
  assert.equal(login.credentials, "omit");
  const cookie = loginRequest("https://id.example", "cookie", { username: "ada", password: "p", label: "l" });
  assert.equal(cookie.body, '{"username":"ada","password":"p","label":"l","transport":"cookie"}');
  assert.equal(cookie.credentials, "include");
  assert.equal(logoutRequest("https://id.example", "dpr_x").url, "https://id.example/v1/logout");
  assert.equal(endAllRequest("https://id.example", "a.b.c").headers["Authorization"], "Bearer a.b.c");
});

test("tokens are read, and what is not whole is not", () => {
  const pair = readPair(JSON.stringify(PAIR), "token");
  assert.equal(pair?.refresh_token, "dpr_x");
  assert.equal(pair?.generation, 3);
  assert.equal(readPair(JSON.stringify(PAIR), "cookie")?.refresh_token, undefined);
  const { refresh_token, ...byCookie } = PAIR;
  assert.ok(readPair(JSON.stringify(byCookie), "cookie"));
  assert.equal(readPair(JSON.stringify(byCookie), "token"), undefined);
  const broken = [
    { access_token: "" },
    { access_token: "a\nb" },
    { token_type: "DPoP" },
    { expires_in: -1 },
    { expires_in: "600" },
    { generation: 1.5 },
    { session_id: "" },
    { session_id: 7 },
    { refresh_in: "soon" },
    { server_time: null },
  ];
  for (const change of broken) assert.equal(readPair(JSON.stringify({ ...PAIR, ...change }), "token"), undefined);
  for (const text of ["", "<html>", "null", "7", "[]", '"x"']) assert.equal(readPair(text, "token"), undefined);
});

test("only a JSON 400 invalid_grant ends a session", () => {
  const read = (...parameters: Parameters<typeof reply>) => readRefresh(reply(...parameters), "token").is;
  const grant = { error: "invalid_grant" };
  for (const [reason, told] of [
    ["expired", "expired"],
    ["revoked", "revoked"],
    ["reused", "reused"],
    ["x", "unknown"],
  ]) {
    assert.deepEqual(readRefresh(json(400, { ...grant, reason }), "token"), { is: "ended", reason: told });
  }
  assert.deepEqual(readRefresh(json(400, grant), "token"), { is: "ended", reason: "unknown" });
  assert.equal(read(400, "application/json", { ...grant, reason: "superseded" }), "superseded");
  assert.equal(read(400, "Application/JSON; charset=utf-8", grant), "ended");
  for (const type of ["text/html", "application/problem+json", "text/json"])
    assert.equal(read(400, type, grant), "nothing");
  for (const status of [200, 201, 302, 401, 403, 404, 408, 409, 410, 429, 500, 502, 503]) {
    assert.equal(read(status, "application/json", grant), "nothing", String(status));
  }
  for (const body of ["", "<html>", "{}", '{"error":7}', '{"error":"x"}', "null"]) {
    assert.equal(read(400, "application/json", body), "nothing", body);
  }
});

test("a renewal's other answers", () => {
  const read = (status: number, body: unknown, transport: "token" | "cookie" = "token") =>
    readRefresh(json(status, body), transport);
  assert.equal(read(200, PAIR).is, "renewed");
  assert.equal(read(200, {}).is, "nothing");
  assert.deepEqual(read(409, { error: "mismatch", generation: 7 }), { is: "mismatch", generation: 7 });
  assert.equal(read(409, { error: "mismatch" }).is, "nothing");
  assert.equal(read(400, { error: "mismatch", generation: 7 }).is, "nothing");
  for (const error of ["invalid_client", "invalid_scope", "invalid_target", "unauthorized_client", "invalid_request"]) {
    assert.equal(read(400, { error }).is, "denied", error);
    assert.equal(read(403, { error }).is, "nothing", error);
  }
  const missing = { error: "invalid_request", error_description: "'refresh_token' is missing" };
  assert.equal(read(400, missing, "cookie").is, "no_cookie");
  assert.equal(read(400, missing).is, "denied");
  assert.equal(read(400, { error: "invalid_request" }, "cookie").is, "denied");
});

test("Retry-After is believed of those who are busy", () => {
  const wait = (status: number, headers: Record<string, string>) => {
    const answer = readRefresh(reply(status, "text/plain", "", headers), "token");
    return answer.is === "nothing" ? answer.retryAfter : "not nothing";
  };
  for (const status of [408, 429, 500, 503]) assert.equal(wait(status, { "retry-after": "7" }), 7);
  for (const status of [200, 302, 400, 403]) assert.equal(wait(status, { "retry-after": "7" }), undefined);
  const after = (value: string, date?: string) =>
    retryAfter(new Headers({ "retry-after": value, ...(date && { date }) }));
  assert.equal(after("0"), 0);
  assert.equal(after("99999999"), 3600);
  assert.equal(after("soon"), undefined);
  assert.equal(after("Sun, 06 Nov 1994 08:49:37 GMT"), undefined, "no Date to count from");
  assert.equal(after("Sun, 06 Nov 1994 08:50:07 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"), 30);
  assert.equal(after("Sun, 06 Nov 1994 08:40:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"), 0);
  assert.equal(retryAfter(new Headers()), undefined);
});

test("wrong credentials are told from a page in between", () => {
  const code = (status: number, type: string, body: unknown) => {
    try {
      readLogin(reply(status, type, body, { "retry-after": "7" }), "token");
      return "signed in";
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  const type = "application/problem+json";
  const named = (name: string) => ({ type: `urn:daypass:problem:${name}` });
  assert.equal(code(200, "application/json", PAIR), "signed in");
  assert.equal(code(200, "application/json", {}), "protocol");
  assert.equal(code(401, type, named("invalid-credentials")), "credentials");
  assert.equal(code(401, "text/html", named("invalid-credentials")), "unavailable");
  assert.equal(code(403, type, named("csrf")), "config");
  assert.equal(code(400, type, named("invalid-scope")), "config");
  assert.equal(code(401, type, { type: "about:blank" }), "unavailable");
  for (const status of [302, 403, 404, 429, 500, 503]) assert.equal(code(status, "text/html", "<html>"), "unavailable");
});

test("a Bearer challenge with invalid_token is found among others, and nothing else is taken for one", () => {
  const yes = [
    'Bearer error="invalid_token"',
    "Bearer error=invalid_token",
    'bEaReR ERROR="invalid_token"',
    'Bearer realm="daypass", error="invalid_token", error_description="it has expired"',
    'Bearer error_description="a, \\"b\\" error=\\"x\\", c", error="invalid_token"',
    'Bearer error="in\\valid_token"',
    'Bearer \t error \t=\t "invalid_token" \t',
    ', ,Bearer ,, error="invalid_token", ,',
    'Basic realm="a", Bearer error="invalid_token"',
    'Bearer error="invalid_token", Basic realm="a", error="other"',
    'Negotiate, Bearer error="invalid_token"',
    'Negotiate YWJj+/-._~==, Bearer error="invalid_token"',
    'Bearer error="invalid_request", Bearer error="invalid_token"',
    'Bearer error="invalid_token", Bearer error="invalid_request"',
    'Custom @@@"a, b"@, Bearer error="invalid_token"',
    'Bearer error="invalid_token", @@@ "unclosed',
    'Bearer scope="a b",error="invalid_token"',
    'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Bearer error="invalid_token"',
  ];
  const no = [
    null,
    "",
    " ,, \t",
    "Bearer",
    'Bearer realm="daypass"',
    'Bearer error="insufficient_scope"',
    'Bearer error="invalid_token "',
    'Bearer error="invalid_token',
    'Bearer realm="a", Custom @, error="invalid_token"',
    'Bearer error="invalid_token\\""',
    "Bearer error='invalid_token'",
    'Bearer error="invalid_token" x',
    'Bearer error_description="error=\\"invalid_token\\""',
    'Bearer error_description=", Bearer error=invalid_token"',
    'Bearer realm="Bearer error=invalid_token"',
    'Basic error="invalid_token"',
    'DPoP error="invalid_token", algs="ES256"',
    'Bearer realm="a", Basic realm="b", error="invalid_token"',
    'error="invalid_token"',
    'Bearererror="invalid_token"',
    'Bearer: error="invalid_token"',
    'Bearer @, error="invalid_token"',
    'Bearer YWJj==, error="invalid_token"',
  ];
  for (const header of yes) assert.equal(refusesToken(header), true, header);
  for (const header of no) assert.equal(refusesToken(header), false, String(header));
});

test("nobody who prints tokens sees them", () => {
  const pair = readPair(JSON.stringify(PAIR), "token");
  assert.ok(pair);
  const record = renewed({ service: "s", session_id: "s", generation: 2, attempts: [] }, pair, 0);
  for (const shown of [inspect(record), inspect({ record }, { depth: 9 }), inspect(withId(record, "i".repeat(22)))]) {
    assert.ok(!shown.includes("dpr_x") && !shown.includes("a.b.c"), shown);
  }
});
