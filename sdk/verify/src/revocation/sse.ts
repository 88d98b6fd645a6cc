/** Server-sent events, read as the HTML standard has it, under limits. */

/** The longest line, and the longest event, in characters. */
const MAX_LENGTH = 64 * 1024;

/** What a stream brings. */
export type StreamItem =
  | { readonly kind: "event"; readonly name: string; readonly data: string; readonly id: string | undefined }
  /** A comment: nothing but a sign of life. */
  | { readonly kind: "comment" };

/** The stream is no text, or a line of it is too long. */
export class BadStream extends Error {
  constructor(readonly fault: "malformed" | "too_large") {
    super(fault);
  }
}

/** Takes pieces of a stream as they come, and gives the events that they complete. */
export class EventParser {
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true });
  #rest = "";
  #afterReturn = false;
  #name = "";
  #data: string[] = [];
  #length = 0;
  /** The standard lets it stay for the events that follow; ours have one where it is theirs. */
  #id: string | undefined;

  push(piece: Uint8Array): StreamItem[] {
    let text: string;
    try {
      text = this.#utf8.decode(piece, { stream: true });
    } catch {
      throw new BadStream("malformed");
    }
    if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1);
    if (text !== "") this.#afterReturn = text.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > MAX_LENGTH) throw new BadStream("too_large");
    return lines.map((line) => this.#line(line)).filter((item) => item !== undefined);
  }

  #line(line: string): StreamItem | undefined {
    this.#length += line.length;
    if (this.#length > MAX_LENGTH) throw new BadStream("too_large");
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) {
      this.#length -= line.length;
      return { kind: "comment" };
    }
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return undefined;
  }

  #dispatch(): StreamItem | undefined {
    const [name, data, id] = [this.#name, this.#data, this.#id];
    this.#name = "";
    this.#id = undefined;
    this.#data = [];
    this.#length = 0;
    // The standard drops an event without data; ours are told by their names.
    if (name === "" && data.length === 0) return undefined;
    return { kind: "event", name: name || "message", data: data.join("\n"), id };
  }
}
