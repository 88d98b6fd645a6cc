/** What is counted, and how it is written out: the names are those of the Rust verifier. */
import type { VerifyErrorCode } from "./errors.js";

/** Every refusal that a verifier counts. */
const REFUSALS = [
  "too_large",
  "malformed",
  "algorithm",
  "header",
  "type",
  "issuer",
  "expired",
  "not_yet_valid",
  "audience",
  "unknown_key",
  "bad_signature",
  "claim",
  "revoked",
  "scope",
  "keys_unavailable",
  "revocations_unavailable",
] as const satisfies readonly VerifyErrorCode[];

/** What became of tokens. */
export class Counts {
  seenBefore = 0;
  newTokens = 0;
  readonly #refused = new Map<VerifyErrorCode, number>();

  refused(code: VerifyErrorCode): void {
    this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1);
  }

  measure(into: Scrape): void {
    const help = "Tokens judged, by what became of them";
    into.counter("verified", help, this.seenBefore + this.newTokens, { outcome: "accepted" });
    for (const code of REFUSALS) into.counter("verified", help, this.#refused.get(code) ?? 0, { outcome: code });
    into.counter("cache_hits", "Tokens accepted that were seen before", this.seenBefore);
  }
}

type Labels = Readonly<Record<string, string>>;

/** One reading of all metrics. Names get the prefix `daypass_verify_`, counters the suffix `_total`. */
export class Scrape {
  readonly #families = new Map<string, { help: string; type: string; lines: string[] }>();
  readonly #issuer: string;

  constructor(issuer: string) {
    this.#issuer = issuer;
  }

  counter(name: string, help: string, value: number, labels: Labels = {}): void {
    this.#add(`${name}_total`, help, "counter", value, labels);
  }

  gauge(name: string, help: string, value: number, labels: Labels = {}): void {
    this.#add(name, help, "gauge", value, labels);
  }

  /** The text that Prometheus reads. */
  text(): string {
    const families = [...this.#families].map(
      ([name, { help, type, lines }]) => `# HELP ${name} ${help}.\n# TYPE ${name} ${type}\n${lines.join("")}`,
    );
    return families.join("");
  }

  #add(name: string, help: string, type: string, value: number, labels: Labels): void {
    const full = `daypass_verify_${name}`;
    const family = this.#families.get(full) ?? { help, type, lines: [] };
    this.#families.set(full, family);
    const shown = Object.entries({ issuer: this.#issuer, ...labels }).map(([key, text]) => `${key}="${escaped(text)}"`);
    family.lines.push(`${full}{${shown.join(",")}} ${value}\n`);
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
