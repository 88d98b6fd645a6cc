// A page as small as it can be: it makes a session and calls an API once. It notes when that was done.

import { createSession } from "@daypass/client";

import type {} from "../protocol.js";

const parameters = new URLSearchParams(location.search);
const parameter = (name: string): string => parameters.get(name) ?? "";
const api = parameter("api");
const session = createSession({ baseUrl: parameter("service"), allowedOrigins: [api] });
const times: Record<string, number> = { script: performance.now() };
globalThis.times = times;

if (parameter("name")) {
  await session.signIn({ username: parameter("name"), password: parameter("password") });
} else {
  await session.getAccessToken();
}
times["session"] = performance.now();
const answer = await session.fetch(`${api}/hello`);
if (answer.ok) times["answer"] = performance.now();
