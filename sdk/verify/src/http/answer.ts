/** What is answered to a request that is not let through, in the form that the service itself answers in. */
import type { VerifyError } from "../errors.js";

/** An answer to a request that is not let through. */
export interface Answer {
  readonly status: 400 | 401 | 403 | 503;
  readonly headers: Readonly<Record<string, string>>;
  /** Problem details (RFC 9457), as JSON. */
  readonly body: string;
}

/** What a client is told. */
interface Problem {
  readonly name: string;
  readonly title: string;
  readonly detail: string;
  /** `error` of the challenge (RFC 6750 section 3.1); none if no token came. */
  readonly error?: string;
  readonly description?: string;
  readonly scope?: string | undefined;
}

/**
 * The answer to a request that is not let through, for those who do not use a middleware: status, challenge (RFC 6750
 * section 3) and problem details. Of a token that is not valid its bearer learns no more than that, unless its time was
 * over or its session has ended: those two it can do something about.
 */
export function answer(error: VerifyError, realm = "daypass"): Answer {
  const problem = error.isUnavailable ? UNAVAILABLE : problemOf(error);
  const headers: Record<string, string> = { "content-type": "application/problem+json", "cache-control": "no-store" };
  // With a 503 there is no challenge: another token would help no more.
  if (error.isUnavailable) headers["retry-after"] = String(error.retryAfter ?? 1);
  else headers["www-authenticate"] = challenge(problem, realm);
  const { name, title, detail } = problem;
  const body = JSON.stringify({ type: `urn:daypass:problem:${name}`, title, status: error.status, detail });
  return { status: error.status, headers, body };
}

const UNAVAILABLE: Problem = {
  name: "unavailable",
  title: "The service cannot answer at the moment",
  detail: "try again after a while",
};

function problemOf(error: VerifyError): Problem {
  switch (error.code) {
    case "missing":
      return {
        name: "unauthenticated",
        title: "An access token is needed",
        detail: "send an access token as Authorization: Bearer",
      };
    case "malformed_request":
      return {
        name: "invalid-request",
        title: "The request cannot be read",
        detail: "the Authorization header does not hold one access token",
        error: "invalid_request",
      };
    case "scope":
      return {
        name: "insufficient-scope",
        title: "The access token does not reach that far",
        detail: `the access token lacks the scope ${error.scope}`,
        error: "insufficient_scope",
        description: "the access token lacks a scope",
        scope: error.scope,
      };
    case "expired":
      return badToken("the access token has expired");
    case "revoked":
      return badToken("the session of the access token is over");
    default:
      return badToken("the access token is not valid");
  }
}

function badToken(detail: string): Problem {
  const title = "The access token is no good";
  return { name: "invalid-token", title, detail, error: "invalid_token", description: detail };
}

function challenge({ error, description, scope }: Problem, realm: string): string {
  const members = { realm, error, error_description: description, scope };
  const shown = Object.entries(members).filter(([, value]) => value !== undefined);
  return `Bearer ${shown.map(([name, value]) => `${name}="${quotable(value ?? "")}"`).join(", ")}`;
}

/** A text with everything replaced that would need an escape within quotes (RFC 6750 section 3). */
function quotable(text: string): string {
  return text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "?");
}
