/** What a verifier expects: the options, checked. */
import { ConfigError } from "./errors.js";
import { HEADER_ALGORITHMS, type HeaderAlgorithm, type KeyAlgorithm, keyAlgorithm } from "./token/algorithm.js";
import type { ClaimPolicy } from "./token/claims.js";
import type { VerifierOptions } from "./verifier.js";

/** The largest leeway, in seconds. */
const MAX_LEEWAY = 300;
const YEAR = 366 * 24 * 3600;

/** What a verifier expects. */
export interface Policy extends ClaimPolicy {
  readonly algorithms: readonly HeaderAlgorithm[];
  readonly keyAlgorithms: readonly KeyAlgorithm[];
  readonly types: readonly string[];
  readonly requireScopes: readonly string[];
  readonly requireClaims: readonly string[];
}

/** The policy, or a `ConfigError` that says what is wrong. */
export function resolve(options: VerifierOptions): Policy {
  const {
    issuer,
    audience,
    algorithms = ["ES256"],
    types = ["at+jwt", "application/at+jwt"],
    leewaySeconds = 5,
    futureLeewaySeconds = 30,
    maxLifetimeSeconds = 3600,
    requireScopes = [],
    requireClaims = [],
  } = options;
  const audiences: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
  if (!isName(issuer)) throw new ConfigError("the issuer is missing");
  if (!allNames(audiences)) throw new ConfigError("the audience is missing, or one of them is empty");
  if (
    !Array.isArray(algorithms) ||
    algorithms.length === 0 ||
    !algorithms.every((alg) => HEADER_ALGORITHMS.includes(alg))
  ) {
    throw new ConfigError(`the algorithms are a list of some of ${HEADER_ALGORITHMS.join(", ")}`);
  }
  if (!allNames(types)) throw new ConfigError("the list of token types is empty or has an empty entry");
  // A single name would be taken for a list of its letters.
  for (const list of [requireScopes, requireClaims]) {
    if (!areNames(list)) throw new ConfigError("requireScopes and requireClaims are lists of names");
  }
  for (const leeway of [leewaySeconds, futureLeewaySeconds]) {
    if (!(leeway >= 0 && leeway <= MAX_LEEWAY)) throw new ConfigError(`a leeway is not 0 to ${MAX_LEEWAY} seconds`);
  }
  if (!(maxLifetimeSeconds >= 1 && maxLifetimeSeconds <= YEAR)) {
    throw new ConfigError("the maximum lifetime is not 1 second to a year");
  }
  if (typeof options.keys?.start !== "function")
    throw new ConfigError("the keys are missing: remoteKeys or staticKeys");
  return {
    issuer,
    audiences: [...audiences],
    algorithms: [...algorithms],
    keyAlgorithms: algorithms.map(keyAlgorithm),
    types: [...types],
    leeway: leewaySeconds,
    futureLeeway: futureLeewaySeconds,
    maxLifetime: maxLifetimeSeconds,
    requireScopes: [...requireScopes],
    requireClaims: [...requireClaims],
  };
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function areNames(list: unknown): list is readonly string[] {
  return Array.isArray(list) && list.every(isName);
}

function allNames(list: unknown): list is readonly [string, ...string[]] {
  return areNames(list) && list.length > 0;
}
