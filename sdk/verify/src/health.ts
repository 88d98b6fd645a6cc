/** How a verifier is, for readiness checks and dashboards. */

/** How a verifier is. It serialises to JSON. */
export interface Health {
  /**
   * Whether good tokens pass: the keys are at hand, and so is the list of ended sessions where it is insisted on. A
   * server that waits for this before it takes requests does not answer 503 in its first moments.
   */
  readonly ready: boolean;
  readonly issuer: string;
  readonly keys: KeysHealth;
  /** Absent if no feed is followed. */
  readonly revocations: RevocationsHealth | undefined;
}

/** How the keys are. */
export interface KeysHealth {
  /** Whether tokens can be judged by them: false before the first answer, and when the last is over an hour old. */
  readonly usable: boolean;
  readonly number: number;
  /** Seconds since the last good answer was asked for; `undefined` for static keys, and before the first one. */
  readonly ageSeconds: number | undefined;
  /**
   * Why the last request failed: `timeout`, `connect`, `status`, `interrupted`, `too_large`, `malformed`,
   * `too_many_keys`, `private_material` or `no_usable_key`; `undefined` if it did not.
   */
  readonly lastError: string | undefined;
}

/** How the list of ended sessions is. */
export interface RevocationsHealth {
  /** How it is read at the moment. A stream that the service does not have is a poll. */
  readonly mode: "stream" | "poll";
  /** Seconds since it was known to be complete; `undefined` before the first time. */
  readonly ageSeconds: number | undefined;
  /** Whether that is longer ago than `maxStalenessMs`, or never was. */
  readonly stale: boolean;
  /** Whether tokens are refused because of that. */
  readonly refusing: boolean;
  /** How many ended sessions and subjects are known. */
  readonly entries: number;
  /**
   * Why the last reading failed: `timeout`, `unreachable`, `token`, `refused`, `status`, `too_large`, `malformed`,
   * `too_many_entries` or `endless`; `undefined` if it did not.
   */
  readonly lastError: string | undefined;
}
