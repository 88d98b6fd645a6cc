/**
 * For handlers that take a `Request` and give a `Response`:
 *
 *     export default { fetch: authenticate(verifier, (request, claims) => Response.json({ sub: claims.sub })) }
 *
 * A handler for CORS comes around it: pre-flight requests bring no token.
 */
import { type AuthOptions, judge } from "./http/gate.js";
import { authorizationOf, responseOf } from "./http/web.js";
import type { AccessClaims } from "./token/claims.js";
import type { Verifier } from "./verifier.js";

export { type AuthOptions, auth, optionalAuth } from "./http/gate.js";

/** A handler, and whatever its server gives it beside the request. */
export type Handler<Claims, Rest extends readonly unknown[]> = (
  request: Request,
  claims: Claims,
  ...rest: Rest
) => Response | Promise<Response>;

/** Calls a handler for requests with a good token, with its claims. */
export function authenticate<Rest extends readonly unknown[]>(
  verifier: Verifier,
  handler: Handler<AccessClaims, Rest>,
  options?: AuthOptions & { readonly optional?: false },
): (request: Request, ...rest: Rest) => Promise<Response>;
/** Calls a handler for requests with a good token, and for those without one. */
export function authenticate<Rest extends readonly unknown[]>(
  verifier: Verifier,
  handler: Handler<AccessClaims | undefined, Rest>,
  options: AuthOptions,
): (request: Request, ...rest: Rest) => Promise<Response>;
export function authenticate<Rest extends readonly unknown[]>(
  verifier: Verifier,
  handler: Handler<never, Rest>,
  options: AuthOptions = {},
): (request: Request, ...rest: Rest) => Promise<Response> {
  return async (request, ...rest) => {
    const outcome = await judge(verifier, request, authorizationOf(request), options);
    return "refused" in outcome ? responseOf(outcome.refused) : handler(request, outcome.claims as never, ...rest);
  };
}
