// The requests that a client makes, as plain values: nothing here sends them.

import type { Transport } from "./pair.js";

/** A request to the service. It may hold tokens or a password. */
export interface ServiceRequest {
  readonly method: "POST" | "DELETE";
  readonly url: string;
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
  return post(service, "refresh", token, attempts === undefined ? {} : { "Daypass-Attempt": attempts });
}

/** Ends the session of a refresh token, of whichever generation, or of the browser's cookie. */
export function logoutRequest(service: string, token?: string): ServiceRequest {
  return post(service, "logout", token);
}

/** Signs somebody in. */
export function loginRequest(
  service: string,
  transport: Transport,
  { username, password, label, scope }: Credentials,
  clientId?: string,
): ServiceRequest {
  const kind = transport === "cookie" ? "cookie" : "body";
  // Members that are undefined are left out of JSON.
  const body = { username, password, transport: kind, label, scope, client_id: clientId };
  return json(service, "login", body, transport === "cookie");
}

/** Ends all sessions of whoever holds this access token. */
export function endAllRequest(service: string, accessToken: string): ServiceRequest {
  return {
    method: "DELETE",
    url: `${service}/v1/sessions`,
    headers: { Authorization: `Bearer ${accessToken}` },
    credentials: "omit",
  };
}

function post(service: string, what: string, token?: string, more: Record<string, string> = {}): ServiceRequest {
  return json(service, what, { refresh_token: token }, token === undefined, more);
}

function json(
  service: string,
  what: string,
  body: object,
  byCookie: boolean,
  more: Record<string, string> = {},
): ServiceRequest {
  const headers: Record<string, string> = { "Content-Type": "application/json", ...more };
  // No form and no simple request of another site's can carry this.
  if (byCookie) headers["Daypass-CSRF"] = "1";
  return {
    method: "POST",
    url: `${service}/v1/${what}`,
    headers,
    body: JSON.stringify(body),
    credentials: byCookie ? "include" : "omit",
  };
}
