// Chromium as people run it: started as a process of our own, so that it can be killed, and steered without the usual
// overrides of test tools, so that tabs in the background are hidden, throttled and frozen in earnest.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";

import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from "playwright-core";

import { soon, until } from "./until.js";

const ARGUMENTS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-extensions",
  // A tab that is crashed is gone at once, and not written down first.
  "--disable-breakpad",
  "--disable-crash-reporter",
  "--no-default-browser-check",
  "--remote-debugging-port=0",
];

/** A running browser. */
export class Chromium {
  private constructor(
    private readonly child: ChildProcess,
    readonly browser: Browser,
  ) {}

  /** Starts it on a profile. A missing browser is an error: a test that is skipped shows nothing. */
  static async start(profile: string, more: string[] = []): Promise<Chromium> {
    const program = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
    if (!existsSync(program)) throw new Error(`${program} is missing: apt-get install chromium`);
    // A process group of its own: whoever kills it kills all of it.
    // And if this process is killed, it goes with it.
    const words = ["--pdeathsig", "KILL", program, ...ARGUMENTS, `--user-data-dir=${profile}`, ...more, "about:blank"];
    const child = spawn("setpriv", words, {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    const stop = (): void => killGroup(child);
    process.once("exit", stop);
    child.once("exit", () => process.removeListener("exit", stop));
    const address = await soon(
      "the browser says where it listens",
      new Promise<string>((resolve, reject) => {
        let told = "";
        child.once("exit", () => reject(new Error(`the browser ended: ${told}`)));
        child.stderr?.on("data", (data: Buffer) => {
          told = (told + data.toString()).slice(-10_000);
          const found = /ws:\/\/\S+/.exec(told)?.[0];
          if (found) resolve(found);
        });
      }),
    );
    return new Chromium(child, await chromium.connectOverCDP(address, { noDefaults: true }));
  }

  get version(): string {
    return this.browser.version();
  }

  /** The profile's own tabs: hidden unless in front. */
  get profile(): BrowserContext {
    const [context] = this.browser.contexts();
    if (!context) throw new Error("the browser has no profile");
    return context;
  }

  /** A profile in memory, whose tabs all count as visible. */
  apart(): Promise<BrowserContext> {
    return this.browser.newContext();
  }

  /** A tab of the profile in a window of its own, which is visible whatever the others are. */
  async window(): Promise<Page> {
    const session = await this.browser.newBrowserCDPSession();
    const page = this.profile.waitForEvent("page");
    await session.send("Target.createTarget", { url: "about:blank", newWindow: true });
    await session.detach();
    return page;
  }

  /** Ends it as people do: what it knows is on disk then. */
  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    const session = await this.browser.newBrowserCDPSession();
    await session.send("Browser.close").catch(() => undefined);
    await soon("the browser is gone", gone);
  }

  /** Kills it, all of its processes at once. */
  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    killGroup(this.child);
    await soon("the browser is gone", gone);
  }
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid) process.kill(-child.pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}

/** What must not be seen of a token: an opaque one, or a signed one. */
const TOKEN = /dpr_[\w-]{20}|eyJ[\w-]{20}/;

/** Watches what a page says: errors that nobody caught, and tokens. */
export function listenTo(page: Page, complaints: string[]): void {
  page.on("pageerror", ({ message }) => {
    // So Firefox reports each answer that is lost.
    if (!message.startsWith("Cross-Origin Request Blocked")) complaints.push(`uncaught: ${message}`);
  });
  page.on("console", (message) => {
    if (TOKEN.test(message.text())) complaints.push(`the console shows a token (${message.type()})`);
  });
}

/** A tab that is frozen. */
export interface Frozen {
  thaw(): Promise<void>;
}

/** Stops all of a hidden tab's tasks and timers, as browsers do to those that nobody looks at. */
export async function freeze(page: Page): Promise<Frozen> {
  const session: CDPSession = await page.context().newCDPSession(page);
  await page.evaluate(() =>
    document.addEventListener("freeze", () => document.body.setAttribute("frozen", ""), { once: true }),
  );
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await until("the tab is frozen", () => page.evaluate(() => document.body.hasAttribute("frozen")));
  return {
    thaw: async () => {
      await soon("the tab is thawed", session.send("Page.setWebLifecycleState", { state: "active" }));
      await session.detach();
    },
  };
}
