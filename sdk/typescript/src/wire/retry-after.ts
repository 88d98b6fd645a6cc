// `Retry-After` (RFC 9110 section 10.2.3).

/** The header fields of an answer. */
export interface Headers {
  get(name: string): string | null;
}

/** The longest time that a client stays away, in seconds. A mistake in a proxy must not silence it for years. */
const MOST = 3600;

/**
 * How long the sender asks to be left alone, in seconds. A date counts from the answer's own `Date`: this machine's
 * clock has no say in it.
 */
export function retryAfter(headers: Headers): number | undefined {
  const value = headers.get("retry-after") ?? "never";
  const seconds = Number(value);
  const until = seconds >= 0 ? seconds : (Date.parse(value) - Date.parse(`${headers.get("date")}`)) / 1000;
  const wait = Math.min(Math.max(until, 0), MOST);
  return wait >= 0 ? wait : undefined;
}
