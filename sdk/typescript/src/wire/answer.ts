// What an answer of the service means: values in, values out. This is the one place that says what ends a session.

import { config, protocol, SessionError, type SignOutReason, unavailable } from "../errors.js";
import { isWhole, type Pair, readObject, readPair, type Transport } from "./pair.js";
import { type Headers, retryAfter } from "./retry-after.js";

/** An answer, whole. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** What the service answers to a renewal. */
export type Answer =
  /** Here are the tokens. */
  | { readonly is: "renewed"; readonly pair: Pair }
  /** The session is over: the one answer that ends it. */
  | { readonly is: "ended"; readonly reason: SignOutReason }
  /** The token is an old one of a session that lives. */
  | { readonly is: "superseded" }
  /** The token's generation is another than the attempt ids were labelled with. */
  | { readonly is: "mismatch"; readonly generation: number }
  /** No cookie arrived. */
  | { readonly is: "no_cookie" }
  /** The service understood, and will not do what this client asks for. */
  | { readonly is: "denied"; readonly error: SessionError }
  /** It is not the service's, or not whole, or the service cannot answer now. It says nothing about the session. */
  | { readonly is: "nothing"; readonly retryAfter?: number | undefined };

/** What is wrong with the client or its request, and not with its session (RFC 6749 section 5.2, RFC 8707 section 2). */
const DENIED = /^(invalid_(?!grant)|unauthorized_|unsupported_)\w+$/;

/**
 * Reads an answer to a renewal.
 *
 * Only a JSON `400 invalid_grant` ends a session (RFC 6749 section 5.2). Whatever a captive portal, a proxy or a
 * broken connection makes of an answer does not.
 */
export function readRefresh(reply: Reply, transport: Transport): Answer {
  const { status, headers } = reply;
  const body = bodyOf(reply, "json");
  const pair = status === 200 && readPair(body, transport);
  const busy = status >= 500 || [408, 429].includes(status);
  return pair
    ? { is: "renewed", pair }
    : (refused(status, body, transport) ?? { is: "nothing", retryAfter: busy ? retryAfter(headers) : undefined });
}

/** An error in the form of RFC 6749 section 5.2, with the service's own members. */
function refused(status: number, body: string, transport: Transport): Answer | undefined {
  const { error, reason, generation, error_description } = readObject(body);
  if (status === 409) {
    return error === "mismatch" && isWhole(generation) ? { is: error, generation } : undefined;
  }
  if (status === 400 && error === "invalid_grant") {
    if (reason === "superseded") return { is: reason };
    const known = /^(expired|revoked|reused)$/.test(reason as string);
    return { is: "ended", reason: known ? (reason as SignOutReason) : "unknown" };
  }
  if (![400, 401].includes(status) || !DENIED.test(error as string)) return undefined;
  // A client that sends a cookie has no token to forget in a body.
  return transport === "cookie" && String(error_description).includes("refresh_token")
    ? { is: "no_cookie" }
    : { is: "denied", error: refusal(error) };
}

function refusal(why: unknown): SessionError {
  return config(`the service refuses: ${why}`);
}

/** Reads the answer to a sign-in; throws what it comes to instead of a pair. */
export function readLogin(reply: Reply, transport: Transport): Pair {
  const { status, headers } = reply;
  const body = bodyOf(reply, "json");
  if (status === 200 && body) {
    const pair = readPair(body, transport);
    if (pair) return pair;
    throw protocol("sent no tokens");
  }
  const problem = [400, 401, 403].includes(status) && readObject(bodyOf(reply, "problem+json"))["type"];
  const [, name] = /^urn:daypass:problem:([\w-]+)$/.exec(String(problem)) ?? [];
  if (name === "invalid-credentials") {
    throw new SessionError("credentials", "wrong user name or password");
  }
  throw name ? refusal(name) : unavailable(retryAfter(headers));
}

/** The body, if the answer says that it is of this type of `application`; empty if not. */
function bodyOf({ headers, body }: Reply, type: string): string {
  return headers.get("content-type")?.toLowerCase().split(/\s*;/)[0] === `application/${type}` ? body : "";
}
