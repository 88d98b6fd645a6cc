/** Requests and answers as the Fetch standard has them. */
import type { Answer } from "./answer.js";

/** The lines of the `Authorization` header: several are joined by a comma, which no token holds. */
export function authorizationOf(request: Request): readonly string[] {
  const value = request.headers.get("authorization");
  return value === null ? [] : [value];
}

/** An answer as a response. */
export function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers });
}
