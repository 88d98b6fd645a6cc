// Somebody's browser profile and its tabs, each with a session of the client in its page.

import assert from "node:assert/strict";

import type { BrowserContext, Page } from "playwright-core";

import type { Made, Opened, Told } from "../protocol.js";
import { type Chromium, listenTo } from "./browser.js";
import { PASSWORD } from "./service.js";
import { soon } from "./until.js";
import type { World } from "./world.js";

/** How a tab is opened. */
export interface TabOptions extends Partial<Opened> {
  /** The page's path. */
  path?: string;
  /** The page's origin, if not the site's usual one. */
  origin?: string;
  /** In a window of its own, visible whatever the other tabs are. For browsers with a profile on disk. */
  window?: boolean;
  /** Without a session. */
  bare?: boolean;
}

/** A profile. */
export class Profile {
  readonly complaints: string[] = [];
  readonly tabs = new Set<Tab>();

  constructor(
    readonly world: World,
    readonly context: BrowserContext,
    private readonly chromium?: Chromium,
  ) {}

  /** Opens a page with a session. */
  async open(options: TabOptions = {}): Promise<Tab> {
    const { path = "/", origin, window = false, bare = false, ...session } = options;
    const page = await (window && this.chromium ? this.chromium.window() : this.context.newPage());
    listenTo(page, this.complaints);
    const tab = new Tab(this.world, page, session);
    this.tabs.add(tab);
    page.once("close", () => this.tabs.delete(tab));
    await page.goto((origin ?? this.world.pages.origin) + path);
    if (!bare) await tab.start();
    return tab;
  }

  /** So many pages at once. */
  openAll(count: number, options: TabOptions = {}): Promise<Tab[]> {
    return Promise.all(Array.from({ length: count }, () => this.open(options)));
  }

  /** Puts the clocks of all pages forward, also of those to come, by so many milliseconds; or only the wall clock. */
  async putForward(by: number, which: "both" | "wall" = "both"): Promise<void> {
    const { pages } = this.world;
    if (which === "both") pages.ahead += by;
    else pages.wallAhead += by;
    const to = [pages.ahead, pages.wallAhead] as const;
    await Promise.all([...this.tabs].map((tab) => tab.run(([both, wall]) => globalThis.putForward(both, wall), to)));
  }

  /** All access tokens have expired, by the clocks of the pages. */
  expire(): Promise<void> {
    return this.putForward(11 * 60_000);
  }

  /** Access tokens are old enough to be at fault if an API refuses them, and serve for longer. */
  age(): Promise<void> {
    return this.putForward(60_000);
  }

  /** Ends it. Pages that complained fail the test. */
  async close(): Promise<void> {
    const { complaints } = this;
    if (this.chromium) await this.chromium.close();
    else await this.context.close();
    assert.deepEqual(complaints, [], "what pages complained of");
  }
}

/** A tab. */
export class Tab {
  constructor(
    private readonly world: World,
    readonly page: Page,
    private readonly options: Partial<Opened>,
  ) {}

  /** Makes its session. */
  async start(): Promise<void> {
    const allowedOrigins = [this.world.api.url];
    const opened: Opened = { baseUrl: this.world.proxy.url, transport: "cookie", allowedOrigins, ...this.options };
    await this.run((opened) => globalThis.app.open(opened), opened);
  }

  /** Runs a function in the page. */
  run<A, R>(inPage: (argument: A) => R | Promise<R>, argument: A): Promise<R> {
    // Its types differ from those of a plain function only in handles, which nobody passes.
    return soon(
      "the page answers",
      this.page.evaluate(inPage as (argument: unknown) => unknown, argument) as Promise<R>,
    );
  }

  async signIn(username = "ada"): Promise<void> {
    const made = await this.run(([username, password]) => globalThis.app.signIn(username, password), [
      username,
      PASSWORD,
    ] as const);
    assert.equal(made.error, undefined, `signing in as ${username}`);
  }

  /** Calls the API. */
  call(path = "/hello", init: { method?: string; body?: string; stream?: boolean } = {}): Promise<Made> {
    return this.run(([url, init]) => globalThis.app.call(url, init), [this.world.api.url + path, init] as const);
  }

  /** So many calls at once. */
  calls(count: number): Promise<Made[]> {
    return this.run(([url, count]) => Promise.all(Array.from({ length: count }, () => globalThis.app.call(url, {}))), [
      `${this.world.api.url}/hello`,
      count,
    ] as const);
  }

  /** Asks for an access token. */
  token(options: { minValidity?: number; rejected?: string } = {}): Promise<Made> {
    return this.run((options) => globalThis.app.token(options), options);
  }

  /** What the page knows of its session. */
  told(): Promise<Told> {
    return this.run(() => globalThis.app.told(), undefined);
  }

  /** Waits until the state is this. */
  async is(state: Told["state"]): Promise<void> {
    await soon(
      `the state is ${state}`,
      this.page.waitForFunction((state) => globalThis.app.told().state === state, state, { timeout: 0, polling: 20 }),
    );
  }

  async signOut(everywhere = false): Promise<Made> {
    return this.run((everywhere) => globalThis.app.signOut(everywhere), everywhere);
  }

  /** Makes the page believe that it is hidden, or seen again. */
  async show(visible: boolean): Promise<void> {
    await this.run((visible) => {
      Object.defineProperty(document, "visibilityState", {
        configurable: true,
        get: () => (visible ? "visible" : "hidden"),
      });
      Object.defineProperty(document, "hidden", { configurable: true, get: () => !visible });
      document.dispatchEvent(new Event("visibilitychange"));
    }, visible);
  }

  async close(): Promise<void> {
    await this.page.close();
  }
}
