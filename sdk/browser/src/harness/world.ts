// All that a test needs, on origins as they are deployed: the service behind the fault proxy, the site, an API, and the
// browser.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { Api } from "./api.js";
import { Chromium } from "./browser.js";
import { Pages } from "./pages.js";
import { Profile } from "./profile.js";
import { FaultProxy, type Seen } from "./proxy.js";
import { type Figures, type Outcome, Service } from "./service.js";

/** Who can sign in. */
export const PEOPLE = ["ada", "ben"];

/** The world of a test file. */
export class World {
  #folder!: string;
  #shared: Promise<Chromium> | undefined;
  readonly #started: Chromium[] = [];
  service!: Service;
  proxy!: FaultProxy;
  pages!: Pages;
  api!: Api;

  /** Sets everything up. `settings` are the service's, by the names of environment variables; `origins` may call it, too. */
  static async open(settings: Record<string, string> = {}, origins: string[] = []): Promise<World> {
    const world = new World();
    world.#folder = mkdtempSync(path.join(tmpdir(), "daypass-browser-"));
    world.proxy = await FaultProxy.start();
    world.pages = await Pages.start(() => [world.proxy.url, world.api.url]);
    const allowedOrigins = [world.pages.origin, world.pages.foreignOrigin, ...origins];
    const options = { issuer: world.proxy.url, folder: world.#folder, allowedOrigins, settings };
    world.service = await Service.prepare(options, PEOPLE);
    world.api = await Api.start(
      world.proxy.url,
      () => world.service.url,
      () => allowedOrigins,
    );
    world.proxy.to(world.service.port);
    await world.service.start();
    return world;
  }

  /** Somebody's browser with nothing in it. Its tabs all count as visible. */
  async profile(): Promise<Profile> {
    this.reset();
    this.#shared ??= this.#start(this.folder("shared"), []);
    return new Profile(this, await (await this.#shared).apart());
  }

  /** A browser process of its own, on a profile on disk. On a profile that was there before the clocks go on. */
  async browser(reopened?: string, more: string[] = []): Promise<Owned> {
    if (reopened === undefined) this.reset();
    const folder = reopened ?? this.folder(`profile${this.#started.length}`);
    const chromium = await this.#start(folder, more);
    return { chromium, profile: new Profile(this, chromium.profile, chromium), folder };
  }

  async #start(folder: string, more: string[]): Promise<Chromium> {
    const chromium = await Chromium.start(folder, more);
    this.#started.push(chromium);
    return chromium;
  }

  /** The same API once more, over HTTP/2. Browsers have to be told not to look at its certificate. */
  async secureApi(): Promise<Api> {
    const [key, cert] = [this.folder("key.pem"), this.folder("cert.pem")];
    const words = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=localhost",
    ];
    execFileSync("openssl", [...words, "-keyout", key, "-out", cert], { stdio: "ignore" });
    const certificate = { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
    return Api.start(
      this.proxy.url,
      () => this.service.url,
      () => [this.pages.origin],
      certificate,
    );
  }

  /** The version of the browser that the profiles in memory share. */
  async version(): Promise<string> {
    return (await this.#shared)?.version ?? "unknown";
  }

  folder(name: string): string {
    return path.join(this.#folder, name);
  }

  /** No faults, clocks as they are. */
  reset(): void {
    this.proxy.clear();
    this.pages.ahead = this.pages.wallAhead = 0;
    this.api.refusesAll = false;
  }

  /** Counts what the service does from here on. */
  async count(): Promise<Count> {
    return new Count(this, await this.service.figures(), this.proxy.seen.length, this.api.calls.length);
  }

  async close(): Promise<void> {
    await Promise.all(this.#started.map((chromium) => chromium.close()));
    await this.service?.stop();
    await Promise.all([this.api?.close(), this.pages?.close(), this.proxy?.close()]);
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A browser process with its profile. */
export interface Owned {
  chromium: Chromium;
  profile: Profile;
  folder: string;
}

/** What happened since. */
export class Count {
  constructor(
    private readonly world: World,
    private readonly before: Figures,
    private readonly from: number,
    private readonly called: number,
  ) {}

  /** At the service, what became of refreshes: only what happened at all. */
  async outcomes(): Promise<Partial<Record<Outcome, number>>> {
    await this.world.proxy.quiet();
    const { refresh } = await this.world.service.figures();
    const since = Object.entries(refresh).map(
      ([name, count]) => [name, count - this.before.refresh[name as Outcome]] as const,
    );
    return Object.fromEntries(since.filter(([, count]) => count !== 0));
  }

  /** The requests that came to the proxy. */
  seen(what: string): Seen[] {
    return this.world.proxy.seen.slice(this.from).filter((seen) => seen.what === what);
  }

  /** How many requests came to the proxy. */
  requests(what: string): number {
    return this.seen(what).length;
  }

  /** Calls that came to the API. */
  get calls(): Api["calls"] {
    return this.world.api.calls.slice(this.called);
  }
}
