/**
 * For Fastify:
 *
 *     app.addHook('onRequest', authenticate(verifier))
 *     app.get('/me', (request) => ({ sub: auth(request).sub }))
 *     app.post('/refunds', { onRequest: requireScope('refunds') }, refund)
 *
 * A CORS plugin is registered before: pre-flight requests bring no token.
 */
import type { Answer } from "./http/answer.js";
import { type AuthOptions, judge, judgeScope } from "./http/gate.js";
import { authorizationLines, type NodeRequest } from "./http/node.js";
import type { Verifier } from "./verifier.js";

export { type AuthOptions, auth, optionalAuth } from "./http/gate.js";

/** A request of Fastify's. */
export interface Request {
  readonly raw: NodeRequest;
}

/** A reply of Fastify's. */
export interface Reply {
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: string): unknown;
}

/** A hook, by its form. */
export type Hook = (request: Request, reply: Reply) => Promise<unknown>;

/** Lets requests with a good token through: `auth(request)` then has its claims. */
export function authenticate(verifier: Verifier, options: AuthOptions = {}): Hook {
  return async (request, reply) =>
    settle(reply, await judge(verifier, request, authorizationLines(request.raw), options));
}

/** Lets requests through whose token carries these scopes. Goes behind `authenticate`. */
export function requireScope(...scopes: readonly [string, ...string[]]): Hook {
  return async (request, reply) => settle(reply, await judgeScope(request, scopes));
}

/** A hook that has sent an answer returns the reply, and nothing that follows it runs. */
function settle(reply: Reply, outcome: { readonly refused: Answer } | object): Reply | undefined {
  if (!("refused" in outcome)) return undefined;
  const { status, headers, body } = outcome.refused;
  reply.code(status);
  reply.headers({ ...headers });
  reply.send(body);
  return reply;
}
