// `Retry-After` (RFC 9110 section 10.2.3).

/** The longest time that a client stays away, in seconds. A mistake in a proxy must not silence it for years. */
const MOST = 3600;

/**
 * How long the sender asks to be left alone, in seconds. A date counts from the answer's own `Date`: this machine's
 * clock has no say in it.
 */
export function retryAfter(headers: { get(name: string): string | null }): number | undefined {
  const value = headers.get("retry-after")?.trim() ?? "";
  const seconds = /^\d+$/.test(value)
    ? Number(value)
    : (fixdate(value) - fixdate(headers.get("date") ?? "")) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), MOST);
}

/** An IMF-fixdate in milliseconds; NaN for what is none. The obsolete forms are left out: nobody sends them. */
function fixdate(date: string): number {
  return /^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/.test(date) ? Date.parse(date) : Number.NaN;
}
