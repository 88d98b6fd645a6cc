/**
 * For Express 4 and 5, and anything with its middleware:
 *
 *     app.use(authenticate(verifier))
 *     app.get('/me', (request, response) => response.json({ sub: auth(request).sub }))
 *     app.post('/refunds', requireScope('refunds'), refund)
 *
 * A CORS middleware comes before: pre-flight requests bring no token.
 */
import type { Answer } from "./http/answer.js";
import { type AuthOptions, judge, judgeScope } from "./http/gate.js";
import { authorizationLines, type NodeRequest } from "./http/node.js";
import type { Verifier } from "./verifier.js";

export { type AuthOptions, auth, optionalAuth } from "./http/gate.js";

/** A response of Node's. */
export interface NodeResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(body: string): unknown;
}

/** A middleware, by its form. */
export type Middleware = (request: NodeRequest, response: NodeResponse, next: (error?: unknown) => void) => void;

/** Lets requests with a good token through: `auth(request)` then has its claims. */
export function authenticate(verifier: Verifier, options: AuthOptions = {}): Middleware {
  return (request, response, next) => {
    settle(judge(verifier, request, authorizationLines(request), options), response, next);
  };
}

/** Lets requests through whose token carries these scopes. Goes behind `authenticate`. */
export function requireScope(...scopes: readonly [string, ...string[]]): Middleware {
  return (request, response, next) => settle(judgeScope(request, scopes), response, next);
}

function settle(
  judged: Promise<{ readonly refused: Answer } | object>,
  response: NodeResponse,
  next: (error?: unknown) => void,
): void {
  judged.then(
    (outcome) => ("refused" in outcome ? send(response, outcome.refused) : next()),
    (error: unknown) => next(error),
  );
}

function send(response: NodeResponse, { status, headers, body }: Answer): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}
