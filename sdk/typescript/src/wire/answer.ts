// What an answer of the service means: values in, values out. This is the one place that says what ends a session.

import { config, SessionError, type SignOutReason, unavailable } from "../errors.js";
import { type Pair, readObject, readPair, type Transport, whole } from "./pair.js";
import { retryAfter } from "./retry-after.js";

/** An answer, whole. */
export interface Reply {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
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
  | { readonly is: "nothing"; readonly retryAfter?: number };

const DENIALS: Readonly<Record<string, string>> = {
  invalid_client: "the service does not know this client",
  unauthorized_client: "the client is not registered for this grant",
  unsupported_grant_type: "the client is not registered for this grant",
  invalid_scope: "the scope exceeds what was granted",
  invalid_target: "the client may not ask for that resource",
};

/**
 * Reads an answer to a renewal.
 *
 * Only a JSON `400 invalid_grant` ends a session (RFC 6749 section 5.2). Whatever a captive portal, a proxy or a
 * broken connection makes of an answer does not.
 */
export function readRefresh(reply: Reply, transport: Transport): Answer {
  const { status } = reply;
  if (isOf(reply, "application/json")) {
    if (status === 200) {
      const pair = readPair(reply.body, transport);
      if (pair) return { is: "renewed", pair };
    } else {
      const refusal = refused(reply, transport);
      if (refusal) return refusal;
    }
  }
  return nothing(reply);
}

/** An answer that says nothing, but perhaps how long to stay away. */
export function nothing(reply: Reply): Answer {
  const { status } = reply;
  const busy = status >= 500 || status === 408 || status === 429;
  const wait = busy ? retryAfter(reply.headers) : undefined;
  return { is: "nothing", ...(wait !== undefined && { retryAfter: wait }) };
}

/** An error in the form of RFC 6749 section 5.2, with the service's own members. */
function refused({ status, body }: Reply, transport: Transport): Answer | undefined {
  const { error, reason, generation, error_description } = readObject(body) ?? {};
  if (typeof error !== "string") return undefined;
  if (status === 409) {
    const stated = whole(generation);
    return error === "mismatch" && stated !== undefined ? { is: "mismatch", generation: stated } : undefined;
  }
  if (status === 400) {
    switch (error) {
      case "invalid_grant":
        if (reason === "superseded") return { is: reason };
        return {
          is: "ended",
          reason: reason === "expired" || reason === "revoked" || reason === "reused" ? reason : "unknown",
        };
      case "invalid_request":
      case "invalid_dpop_proof":
        // A client that sends a cookie has no token to forget in a body.
        if (transport === "cookie" && String(error_description).includes("refresh_token")) {
          return { is: "no_cookie" };
        }
        return { is: "denied", error: new SessionError("protocol", "the token service calls the request wrong") };
    }
  }
  const denial = status === 400 || status === 401 ? DENIALS[error] : undefined;
  return denial === undefined ? undefined : { is: "denied", error: config(denial) };
}

/** Reads the answer to a sign-in; throws what it comes to instead of a pair. */
export function readLogin(reply: Reply, transport: Transport): Pair {
  const { status } = reply;
  if (status === 200 && isOf(reply, "application/json")) {
    const pair = readPair(reply.body, transport);
    if (pair) return pair;
    throw new SessionError("protocol", "the token service answered a sign-in without tokens");
  }
  if (status === 400 || status === 401 || status === 403) {
    const problem = isOf(reply, "application/problem+json") && readObject(reply.body);
    const type = problem && typeof problem["type"] === "string" ? problem["type"] : "";
    const [, name] = /^urn:daypass:problem:(.*)$/.exec(type) ?? [];
    if (name === "invalid-credentials") {
      throw new SessionError("credentials", "the user name or the password is wrong");
    }
    if (name === "csrf") throw config("the service does not list this page's origin under allowed_origins");
    if (name === "invalid-client") throw config("the client is unknown or may not sign people in");
    if (name === "invalid-scope") throw config("the scope cannot be granted");
    if (name !== undefined) throw config("the service cannot read the sign-in");
  }
  throw unavailable(retryAfter(reply.headers));
}

/** Whether the answer says, once, that it is of this type. */
function isOf({ headers }: Reply, type: string): boolean {
  return headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() === type;
}
