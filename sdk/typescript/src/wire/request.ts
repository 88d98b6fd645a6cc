// The requests that a client makes, as plain values: nothing here sends them.

import type { Transport } from "./pair.js";

/** A request to the service. It may hold tokens or a password. */
export interface ServiceRequest {
  readonly url: string;
  readonly method: "POST" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly credentials: "include" | "omit";
}

/** What somebody signs in with. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** How the session is called in the person's list of sessions; at most 128 characters. */
  readonly label?: string;
  /** What the access tokens may be used for, as words divided by spaces. Everything that may be granted if absent. */
  readonly scope?: string;
}

/** Renews, under the attempt ids of `attempts`; without a token it is the browser's cookie that is renewed. */
export function refreshRequest(service: string, token?: string, attempts?: string): ServiceRequest {
  return post(service, "refresh", { refresh_token: token }, !token, attempts);
}

/** Ends the session of a refresh token, of whichever generation, or of the browser's cookie. */
export function logoutRequest(service: string, token?: string): ServiceRequest {
  return post(service, "logout", { refresh_token: token }, !token);
}

/** Signs somebody in. */
export function loginRequest(
  service: string,
  transport: Transport,
  credentials: Credentials,
  client_id?: string,
): ServiceRequest {
  const byCookie = transport === "cookie";
  return post(service, "login", { ...credentials, transport: byCookie ? transport : "body", client_id }, byCookie);
}

/** Ends all sessions of whoever holds this access token. */
export function endAllRequest(service: string, accessToken: string): ServiceRequest {
  return {
    url: `${service}/v1/sessions`,
    method: "DELETE",
    headers: { Authorization: `Bearer ${accessToken}` },
    credentials: "omit",
  };
}

/** Members that are undefined are left out of JSON. */
function post(service: string, what: string, body: object, byCookie: boolean, attempts?: string): ServiceRequest {
  return {
    url: `${service}/v1/${what}`,
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      // No form and no simple request of another site's can carry this.
      ...(byCookie && { "Daypass-CSRF": "1" }),
      ...(attempts && { "Daypass-Attempt": attempts }),
    },
    body: JSON.stringify(body),
    credentials: byCookie ? "include" : "omit",
  };
}
