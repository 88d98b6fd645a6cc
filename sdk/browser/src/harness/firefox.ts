// Firefox from Debian, steered by WebDriver BiDi, which needs no driver beside it and no patched build.

import { cpSync, existsSync } from "node:fs";

import type { BrowserContext, Page } from "playwright-core";
import puppeteer from "puppeteer-core";

import { soon } from "./until.js";

/** A running Firefox. */
export class Firefox {
  private constructor(
    private readonly browser: Awaited<ReturnType<typeof puppeteer.launch>>,
    /** The profile's tabs: hidden unless in front. */
    readonly profile: BrowserContext,
  ) {}

  /** Starts it on a profile. `spoil` runs in every page before its scripts. */
  static async start(folder: string, spoil?: () => void): Promise<Firefox> {
    const executablePath = process.env["FIREFOX"] ?? "/usr/bin/firefox-esr";
    if (!existsSync(executablePath)) throw new Error(`${executablePath} is missing: apt-get install firefox-esr`);
    const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true, userDataDir: folder });
    const newPage = async (): Promise<Page> => {
      const page = await browser.newPage();
      if (spoil) await page.evaluateOnNewDocument(spoil);
      // Of the many things that a page can do for a test, those of the core set are the same in both libraries.
      return page as unknown as Page;
    };
    return new Firefox(browser, { newPage, close: () => browser.close() } as unknown as BrowserContext);
  }

  /** The profile as it is on disk, under another name: what steers the browser tidies up the old one in its own time. */
  static moved(folder: string): string {
    const to = `${folder}-moved`;
    const isLeft = (path: string): boolean => !/(^|\/)(lock|\.parentlock|(user|prefs)[^/]*\.js.*)$/.test(path);
    cpSync(folder, to, { recursive: true, filter: isLeft });
    return to;
  }

  version(): Promise<string> {
    return this.browser.version();
  }

  /** Ends it as people do: what it knows is on disk then. */
  close(): Promise<void> {
    return this.browser.close();
  }

  /** Kills it. */
  async kill(): Promise<void> {
    const child = this.browser.process();
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await soon("the browser is gone", gone);
  }
}
