// The web site whose pages use the client: static files on an origin of its own, as an app.example beside an
// auth.example.

import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";

import { type Listening, listen } from "./listen.js";

/** Where `npm run build` leaves the scripts of the pages. */
const SCRIPTS = new URL("../../page/", import.meta.url);

/** Runs before all else in a page: its clocks can be put forward by the test. */
const CLOCKS = `(() => {
  let [ahead, wallAhead] = $AHEAD;
  const { Date: RealDate, performance: { now } } = globalThis;
  const wall = RealDate.now;
  RealDate.now = () => wall() + ahead + wallAhead;
  performance.now = () => now.call(performance) + ahead;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, made) => Reflect.construct(target, args.length ? args : [RealDate.now()], made),
  });
  globalThis.putForward = (both, wall) => { [ahead, wallAhead] = [both, wall]; };
})();`;

/** The site. */
export class Pages {
  /** By how much both clocks of new pages are ahead, in milliseconds. */
  ahead = 0;
  /** By how much the wall clock is ahead beyond that: it may be wrong, or the other one has stood still. */
  wallAhead = 0;
  /** The bytes of all that pages loaded, by path. */
  readonly weights = new Map<string, number>();
  #listening!: Listening;

  /** `reachable` are the origins that a page with a strict policy may connect to. The system chooses port 0. */
  static async start(reachable: () => string[], port = 0): Promise<Pages> {
    const pages = new Pages();
    pages.#listening = await listen(
      createServer((asked, answer) => pages.#serve(asked, answer, reachable())),
      port,
    );
    return pages;
  }

  /** Same site as the service's `http://localhost`, another origin. */
  get origin(): string {
    return `http://localhost:${this.#listening.port}`;
  }

  /** Another site than the service's. */
  get foreignOrigin(): string {
    return `http://127.0.0.1:${this.#listening.port}`;
  }

  close(): Promise<void> {
    return this.#listening.close();
  }

  #serve(asked: IncomingMessage, answer: ServerResponse, reachable: string[]): void {
    const path = (asked.url ?? "/").split("?")[0] ?? "/";
    const send = (type: string, body: string | Buffer): void => {
      this.weights.set(path, body.length);
      answer.writeHead(200, { "content-type": type, "cache-control": "no-store" }).end(body);
    };
    if (path === "/clocks.js")
      return void send("text/javascript", CLOCKS.replace("$AHEAD", JSON.stringify([this.ahead, this.wallAhead])));
    if (path.endsWith(".js")) {
      // Names come from the pages below only.
      const file = fileURLToPath(new URL(`.${path}`, SCRIPTS));
      try {
        return void send("text/javascript", readFileSync(file));
      } catch {
        return void answer.writeHead(404).end();
      }
    }
    if (path === "/strict") {
      const policy = `default-src 'none'; script-src 'self'; connect-src ${reachable.join(" ")}; require-trusted-types-for 'script'; sandbox allow-scripts allow-same-origin`;
      answer.setHeader("content-security-policy", policy);
    }
    const script = path === "/react" ? "react.js" : path === "/measure" ? "measure.js" : "app.js";
    const clocks = path === "/measure" ? "" : '<script src="/clocks.js"></script>';
    send(
      "text/html; charset=utf-8",
      `<!doctype html><title>Page</title><link rel="icon" href="data:,">${clocks}<script type="module" src="/${script}"></script><main id="root"></main>`,
    );
  }
}
