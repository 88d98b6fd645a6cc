// Whether an answer says that the access token was at fault: a reader of `WWW-Authenticate` (RFC 9110 section 11.6.1).

const TOKEN = "[\\w!#$%&'*+.^`|~-]+";
const PARAMETER = `(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`;
/** A scheme with the first of its parameters if it has any, or a further parameter of the last scheme. */
const ELEMENT = new RegExp(`^(?:(${TOKEN})(?:[ \\t]+|$))?(?:${PARAMETER})?$`, "s");
/** What stands between two commas that no quotes hold. */
const ELEMENTS = /(?:[^",]|"(?:[^"\\]|\\.)*"?)+/gs;

/**
 * Whether one of the challenges is `Bearer` with `error="invalid_token"` (RFC 6750 section 3.1): the server wants
 * another access token. What cannot be read is passed over, together with the parameters that belong to it; a
 * challenge that gives two errors gives none.
 */
export function refusesToken(header: string | null): boolean {
  let bearer = false;
  let errors: string[] = [];
  let refuses = false;
  const close = () => {
    refuses ||= bearer && errors.length === 1 && errors[0] === "invalid_token";
    bearer = false;
    errors = [];
  };
  for (const [piece] of (header ?? "").matchAll(ELEMENTS)) {
    const element = piece.trim();
    if (element === "") continue;
    const parts = ELEMENT.exec(element);
    const [, scheme, name, quoted, bare] = parts ?? [];
    if (!parts || scheme !== undefined) close();
    if (scheme !== undefined) bearer = scheme.toLowerCase() === "bearer";
    if (name?.toLowerCase() === "error") errors.push(quoted?.replace(/\\(.)/gs, "$1") ?? bare ?? "");
  }
  close();
  return refuses;
}
