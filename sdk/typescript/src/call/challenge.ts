// Whether an answer says that the access token was at fault: a reader of `WWW-Authenticate` (RFC 9110 section 11.6.1).

/** `Bearer`, other parameters of its own, and the error. What is no parameter begins another challenge. */
const REFUSAL = /(?:^|,)\s*bearer[\s,]+(?:[^\s=,]+\s*=\s*[^\s=,"]+[\s,]+)*error\s*=\s*invalid_token\s*(?:,|$)/i;

/**
 * Whether one of the challenges is `Bearer` with `error="invalid_token"` (RFC 6750 section 3.1): the server wants
 * another access token. What cannot be read is passed over, together with the parameters that belong to it.
 */
export function refusesToken(header: string | null): boolean {
  // Without quotes, a comma is always one between elements.
  const plain = header?.replace(/"((?:[^"\\]|\\.)*)"/g, (_, text: string) =>
    encodeURIComponent(text.replace(/\\(.)/g, "$1")),
  );
  return REFUSAL.test(plain ?? "");
}
