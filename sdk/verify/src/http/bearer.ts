/** The token of a request. */
import { VerifyError } from "../errors.js";

/**
 * The access token in the `Authorization` header (RFC 6750 section 2.1), of which `values` are all lines; `undefined` if
 * there is none, or it is of another scheme. Tokens elsewhere, such as in the query, are not looked at.
 *
 * Throws `malformed_request` if the header comes more than once or holds anything but one token, and `missing` for the
 * scheme `DPoP` (RFC 9449): a token that has to be proved is neither taken as one that has not, nor passed over.
 */
export function bearerToken(values: readonly string[]): string | undefined {
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1) throw malformed();
  const space = value.indexOf(" ");
  const scheme = (space < 0 ? value : value.slice(0, space)).toLowerCase();
  if (scheme === "dpop") throw missing();
  if (scheme !== "bearer") {
    // Lines that were joined by a comma hide the second one behind the first one's scheme.
    if (/,\s*(?:bearer|dpop)\s/i.test(value)) throw malformed();
    return undefined;
  }
  let start = space < 0 ? value.length : space;
  while (value[start] === " ") start++;
  const token = value.slice(start);
  // RFC 9110 section 11.2.
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) throw malformed();
  return token;
}

/** There is no token, and one is needed. */
export function missing(): VerifyError {
  return new VerifyError("missing", "a bearer token is required");
}

function malformed(): VerifyError {
  return new VerifyError("malformed_request", "the authorization header is malformed");
}
