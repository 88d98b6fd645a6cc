// Whether an answer says that the access token was at fault: a reader of `WWW-Authenticate` (RFC 9110 section 11.6.1).

/** A scheme with the first of its parameters if it has any, or a further parameter of the last scheme. */
const ELEMENT = /^(?:([^\s=]+)(?:\s+|$))?(?:([^\s=]+)\s*=\s*([^\s="]+))?$/;

/**
 * Whether one of the challenges is `Bearer` with `error="invalid_token"` (RFC 6750 section 3.1): the server wants
 * another access token. What cannot be read is passed over, together with the parameters that belong to it; a
 * challenge that gives two errors gives none.
 */
export function refusesToken(header: string | null): boolean {
  // Without quotes, a comma is always one between elements.
  const plain = (header ?? "").replace(/"((?:[^"\\]|\\.)*)"/g, (_, text: string) =>
    encodeURIComponent(text.replace(/\\(.)/g, "$1")),
  );
  let isBearer = false;
  const challenges: string[][] = [];
  for (const element of plain.split(",").map((piece) => piece.trim())) {
    if (!element) continue;
    const [match, scheme, name, value] = ELEMENT.exec(element) ?? [];
    if (scheme || match === undefined) {
      isBearer = scheme?.toLowerCase() === "bearer";
      challenges.push([]);
    }
    if (isBearer && value && name?.toLowerCase() === "error") challenges.at(-1)?.push(value);
  }
  return challenges.some(([error, another]) => error === "invalid_token" && !another);
}
