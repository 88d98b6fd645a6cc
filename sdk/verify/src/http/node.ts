/** Requests as Node's `http` has them, which Express passes on as they are and Fastify as `raw`. */

/** A request of Node's. */
export interface NodeRequest {
  readonly headers: { readonly authorization?: string | undefined };
  /** Names and values in turn. Of two `Authorization` lines Node's `headers` show the first one only. */
  readonly rawHeaders?: readonly string[];
}

/** All lines of the `Authorization` header. */
export function authorizationLines(request: NodeRequest): readonly string[] {
  const raw = request.rawHeaders ?? [];
  const lines = raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === "authorization");
  const { authorization } = request.headers;
  // An injected request may have no raw headers.
  return lines.length > 0 || authorization === undefined ? lines : [authorization];
}
