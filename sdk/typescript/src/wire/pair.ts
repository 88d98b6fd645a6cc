// The pair of tokens, as the service writes it.

/** How refresh tokens travel: in an HttpOnly cookie, or in bodies. */
export type Transport = "cookie" | "token";

/** Tokens as the service answers them. */
export interface Pair {
  readonly access_token: string;
  /** In seconds. */
  readonly expires_in: number;
  /** When the service would like the access token renewed if it is in use, in seconds. */
  readonly refresh_in?: number | undefined;
  /** The service's clock, in milliseconds since the Unix epoch. */
  readonly server_time?: number | undefined;
  /** Absent where a cookie holds it. */
  readonly refresh_token?: string | undefined;
  readonly session_id: string;
  readonly generation: number;
  /** What remains of the session, in seconds; absent for one without end. */
  readonly refresh_expires_in?: number | undefined;
}

/** Reads the JSON that the service answered. Undefined if a member that has to be there is not. */
export function readPair(body: string, transport: Transport): Pair | undefined {
  const json = readObject(body);
  const { access_token, refresh_token, session_id, expires_in, generation } = json;
  const { refresh_in = 0, server_time = 0, refresh_expires_in = 0 } = json;
  const byCookie = transport === "cookie";
  const fits =
    // What is not to be sent as a Bearer (RFC 6750) is of no use here.
    /^bearer$/i.test(json["token_type"] as string) &&
    [access_token, session_id, byCookie ? "cookie" : refresh_token].every(isText) &&
    [expires_in, generation, refresh_in, server_time, refresh_expires_in].every(isWhole);
  return fits ? ({ ...json, refresh_token: byCookie ? undefined : refresh_token } as unknown as Pair) : undefined;
}

/** The members of a JSON object; none if it is not one. */
export function readObject(body: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(body));
  } catch {
    return {};
  }
}

/** Whether it is a whole number that is not negative. */
export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Whether it is a text that fits into a header. */
function isText(value: unknown): boolean {
  return typeof value === "string" && /^[!-~]+$/.test(value);
}
