/** The judgement of a request: its token, and the scopes that are wanted of it. */
import { ConfigError, VerifyError } from "../errors.js";
import { type AccessClaims, hasScope } from "../token/claims.js";
import { lacking, type Verifier } from "../verifier.js";
import { type Answer, answer } from "./answer.js";
import { bearerToken, missing } from "./bearer.js";

/** What a middleware asks of requests. */
export interface AuthOptions {
  /** Lets requests without a token through. One with a bad token is refused all the same. Default false. */
  readonly optional?: boolean;
  /** A scope, or several, that the token must carry. */
  readonly scope?: string | readonly string[];
  /** The realm of challenges. Default `daypass`. */
  readonly realm?: string;
}

/** What a middleware left for a request that it let through. */
interface Passed {
  readonly claims: AccessClaims | undefined;
  readonly realm: string | undefined;
}

/** By request: nothing is written to it, and no other library's property is in the way. */
const passed = new WeakMap<object, Passed>();

/** The claims of a request that may pass, `undefined` if it has no token and needs none, or what to answer. */
export async function judge(
  verifier: Verifier,
  request: object,
  authorization: readonly string[],
  options: AuthOptions,
): Promise<{ readonly claims: AccessClaims | undefined } | { readonly refused: Answer }> {
  return refusing(options.realm, async () => {
    const token = bearerToken(authorization);
    if (token === undefined && options.optional !== true) throw missing();
    const claims = token === undefined ? undefined : await verifier.verify(token);
    if (claims !== undefined) require(claims, options.scope ?? []);
    passed.set(request, { claims, realm: options.realm });
    return { claims };
  });
}

/** Whether a request that was let through carries these scopes, or what to answer. */
export async function judgeScope(
  request: object,
  scopes: readonly string[],
): Promise<{ readonly claims: AccessClaims } | { readonly refused: Answer }> {
  const found = left(request);
  return refusing(found.realm, async () => {
    if (found.claims === undefined) throw missing();
    require(found.claims, scopes);
    return { claims: found.claims };
  });
}

/** The caller's claims. Throws a `VerifyError` (401) if there is no token, and a `ConfigError` behind no middleware. */
export function auth(request: object): AccessClaims {
  const { claims } = left(request);
  if (claims === undefined) throw missing();
  return claims;
}

/** The caller's claims, `undefined` if there is no token. Throws a `ConfigError` behind no middleware. */
export function optionalAuth(request: object): AccessClaims | undefined {
  return left(request).claims;
}

/** A route that is behind no middleware is not open: it fails. */
function left(request: object): Passed {
  const found = passed.get(request);
  if (found === undefined) throw new ConfigError("a route asks for a token, and is behind no authenticate(verifier)");
  return found;
}

function require(claims: AccessClaims, scopes: string | readonly string[]): void {
  for (const scope of typeof scopes === "string" ? [scopes] : scopes) {
    if (!hasScope(claims, scope)) throw lacking(scope);
  }
}

async function refusing<T>(
  realm: string | undefined,
  act: () => Promise<T>,
): Promise<T | { readonly refused: Answer }> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof VerifyError) return { refused: answer(error, realm) };
    throw error;
  }
}
