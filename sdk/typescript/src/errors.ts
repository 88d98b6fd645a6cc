// What can go wrong, by what the caller can do about it.

/** Why a session is over, or why there is none. */
export type SignOutReason =
  /** Nobody has signed in on this store, or in this browser. */
  | "not_signed_in"
  /** Whoever holds this session signed out, here or in another tab or process. */
  | "signed_out"
  /** The session's time is over. */
  | "expired"
  /** The session was ended elsewhere: revoked, or its owner disabled. */
  | "revoked"
  /** A refresh token was presented twice by different holders: somebody may have copied it. */
  | "reused"
  /** The service knows the session no more, and does not say why. */
  | "unknown"
  /** The browser sends the session's cookie no more, or never kept it. */
  | "cookie_missing";

/** Stable names of what can go wrong. */
export type ErrorCode =
  /** There is no session: nobody has signed in, or it is over. `reason` says which. */
  | "signed_out"
  /** The browser did not send the session's cookie. Somebody has to sign in again. */
  | "cookie_missing"
  /** The user name or the password is wrong. Only a sign-in answers so. */
  | "credentials"
  /** The service cannot be reached or cannot answer. The session is kept. */
  | "unavailable"
  /** The store cannot be read, or not be written when that has to come first. The session is kept. */
  | "store"
  /** The service answered what its contract does not allow. The session is kept. */
  | "protocol"
  /** What the caller configured or asked for cannot be. */
  | "config";

/** More about an error. */
export interface ErrorDetails {
  /** Why nobody is signed in. */
  readonly reason?: SignOutReason;
  /** How long the service asked to be left alone, in seconds. */
  readonly retryAfter?: number | undefined;
  /** What a store threw. */
  readonly cause?: unknown;
}

const COOKIE_MISSING = "the session cookie is gone or blocked: use one site or token transport";

/** Why there is no access token. No text in it is a token, an attempt id or a password. */
export class SessionError extends Error {
  override readonly name: string = "SessionError";
  /** What went wrong. */
  declare readonly code: ErrorCode;
  /** Why nobody is signed in, if nobody is. */
  declare readonly reason: SignOutReason | undefined;
  /** How long the service asked to be left alone, in seconds. */
  declare readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    Object.assign(this, details, { code });
  }

  /** Whether a value is an error of this library, whichever copy of it made it. */
  static is(value: unknown): value is SessionError {
    return (value as Partial<Error> | undefined)?.name === "SessionError";
  }

  /** Whether somebody has to sign in before there can be an access token again. */
  isSignedOut(): boolean {
    return !!this.reason;
  }

  /** Whether the same call may succeed later without anybody doing anything. */
  isTemporary(): boolean {
    return this.code === "unavailable" || this.code === "store";
  }
}

export function signedOut(reason: SignOutReason): SessionError {
  return reason === "cookie_missing"
    ? new SessionError(reason, COOKIE_MISSING, { reason })
    : new SessionError("signed_out", `signed out: ${reason}`, { reason });
}

export function unavailable(retryAfter?: number): SessionError {
  return new SessionError("unavailable", "the service is unreachable", { retryAfter });
}

/** What a store threw, as an error of this library. */
export function storeFailed(cause: unknown): SessionError {
  return new SessionError("store", "the store failed", { cause });
}

export function protocol(what: string): SessionError {
  return new SessionError("protocol", `the service ${what}`);
}

export function config(what: string): SessionError {
  return new SessionError("config", what);
}
