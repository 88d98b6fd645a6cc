// The API: it accepts the service's access tokens, offline, and refuses those of sessions that have ended.
import { createVerifier, hasScope, remoteKeys, revocationFeed } from "@daypass/verify";
import { auth, authenticate, requireScope } from "@daypass/verify/express";
import express from "express";

/** Lets the page's origin call, and read the two headers that its session goes by. */
function cors(origin) {
  return (request, response, next) => {
    response.vary("Origin");
    if (request.headers.origin === origin) {
      response.set("Access-Control-Allow-Origin", origin);
      response.set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After");
    }
    if (request.method !== "OPTIONS") return next();
    response.set("Access-Control-Allow-Methods", "GET, POST, DELETE");
    response.set("Access-Control-Allow-Headers", "Authorization, Content-Type");
    response.set("Access-Control-Max-Age", "600");
    response.status(204).end();
  };
}

/** Makes the API, and what ends it. */
export function createApi({ service, audience, pageOrigin, feedSecret }) {
  const verifier = createVerifier({
    issuer: service,
    audience,
    keys: remoteKeys(`${service}/.well-known/jwks.json`),
    revocation: revocationFeed({ url: service, clientId: "api", clientSecret: feedSecret, mode: "stream" }),
    log: console,
  });
  const app = express();
  app.disable("x-powered-by");
  // Asked before anybody is: a pre-flight request brings no token, and a probe none either.
  app.get("/ready", (_, response) => void response.status(verifier.health().ready ? 204 : 503).end());
  app.use(cors(pageOrigin));
  app.use(authenticate(verifier));
  app.get("/greeting", (request, response) => {
    const claims = auth(request);
    response.json({ greeting: `Hello, ${claims.name ?? claims.sub}.`, mayRefund: hasScope(claims, "refunds") });
  });
  app.post("/refunds", requireScope("refunds"), (request, response) => {
    response.json({ refundedBy: auth(request).sub });
  });
  return { app, close: () => verifier.close() };
}
