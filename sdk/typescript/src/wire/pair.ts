// The pair of tokens, as the service writes it.

import { sealed } from "../record.js";

/** How refresh tokens travel: in an HttpOnly cookie, or in bodies. */
export type Transport = "cookie" | "token";

/** Tokens as the service answers them. */
export interface Pair {
  /** The access token. */
  readonly token: string;
  /** In seconds. */
  readonly expiresIn: number;
  /** In seconds. */
  readonly refreshIn?: number;
  /** The service's clock, in milliseconds since the Unix epoch. */
  readonly serverTime?: number;
  /** Absent where a cookie holds it. */
  readonly refreshToken?: string;
  readonly sessionId: string;
  readonly generation: number;
  /** What remains of the session, in seconds; absent for one without end. */
  readonly refreshExpiresIn?: number;
}

/** Reads the JSON that the service answered. Undefined if a member that has to be there is not. */
export function readPair(body: string, transport: Transport): Pair | undefined {
  const json = readObject(body);
  if (!json) return undefined;
  const { access_token, token_type, refresh_token, session_id } = json;
  const expiresIn = whole(json["expires_in"]);
  const generation = whole(json["generation"]);
  const fits =
    // What is not to be sent as a Bearer (RFC 6750) is of no use here.
    typeof token_type === "string" &&
    token_type.toLowerCase() === "bearer" &&
    typeof access_token === "string" &&
    /^[!-~]+$/.test(access_token) &&
    text(session_id) &&
    (transport === "cookie" || text(refresh_token));
  if (!fits || expiresIn === undefined || generation === undefined) return undefined;
  const refreshIn = whole(json["refresh_in"]);
  const serverTime = whole(json["server_time"]);
  const refreshExpiresIn = whole(json["refresh_expires_in"]);
  return sealed({
    token: access_token,
    expiresIn,
    ...(refreshIn !== undefined && { refreshIn }),
    ...(serverTime !== undefined && { serverTime }),
    ...(transport === "token" && { refreshToken: refresh_token as string }),
    sessionId: session_id,
    generation,
    ...(refreshExpiresIn !== undefined && { refreshExpiresIn }),
  });
}

/** A JSON object, or nothing. */
export function readObject(body: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(body);
    return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** A whole number that is not negative, or nothing. */
export function whole(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

function text(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
