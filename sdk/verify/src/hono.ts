/**
 * For Hono:
 *
 *     app.use(authenticate(verifier))
 *     app.get('/me', (c) => c.json({ sub: auth(c).sub }))
 *     app.post('/refunds', requireScope('refunds'), refund)
 *
 * A CORS middleware comes before: pre-flight requests bring no token.
 */
import type { Answer } from "./http/answer.js";
import { type AuthOptions, judge, judgeScope } from "./http/gate.js";
import { authorizationOf, responseOf } from "./http/web.js";
import type { Verifier } from "./verifier.js";

export { type AuthOptions, auth, optionalAuth } from "./http/gate.js";

/** A context of Hono's. */
export interface Context {
  readonly req: { readonly raw: Request };
}

/** A middleware, by its form. */
export type Middleware = (context: Context, next: () => Promise<void>) => Promise<Response | undefined>;

/** Lets requests with a good token through: `auth(c)` then has its claims. */
export function authenticate(verifier: Verifier, options: AuthOptions = {}): Middleware {
  return async (context, next) =>
    settle(await judge(verifier, context, authorizationOf(context.req.raw), options), next);
}

/** Lets requests through whose token carries these scopes. Goes behind `authenticate`. */
export function requireScope(...scopes: readonly [string, ...string[]]): Middleware {
  return async (context, next) => settle(await judgeScope(context, scopes), next);
}

async function settle(
  outcome: { readonly refused: Answer } | object,
  next: () => Promise<void>,
): Promise<Response | undefined> {
  if ("refused" in outcome) return responseOf(outcome.refused);
  await next();
  return undefined;
}
