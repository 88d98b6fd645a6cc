// One Chromium whose tabs share a session by cookie, and are closed, crashed and opened again.

import type { Page } from "playwright-core";

import { Chromium } from "../harness/browser.js";
import { Dice } from "../harness/dice.js";
import { Pages } from "../harness/pages.js";
import { type Arguments, Caller, type Tell } from "./report.js";

/** A tab is closed and opened again after so many calls at least, and at most. */
const OPEN = { least: 10, most: 60 };

/** Lives until nobody wants it any more. The answer is its exit code. */
export async function browserClient(given: Arguments, tell: Tell, leave: Promise<void>): Promise<number> {
  const pages = await Pages.start(() => [], given.pagePort);
  const chromium = await Chromium.start(`${given.store}.profile`);
  let isOver = false;
  try {
    const first = await openTab(chromium, pages, given);
    if (!given.signedIn) await signInPatiently(first, given, tell);
    const lives = Array.from({ length: given.tabs }, async (_, number) => {
      const dice = new Dice(given.seed + number);
      const caller = new Caller(dice, given.fast, tell);
      while (!isOver) {
        const tab = await openTab(chromium, pages, given);
        for (let left = OPEN.least + dice.below(OPEN.most - OPEN.least); left > 0 && !isOver; left--) {
          const ask = (rejected: string | undefined): ReturnType<typeof globalThis.app.token> =>
            tab.evaluate((rejected) => globalThis.app.token(rejected === undefined ? {} : { rejected }), rejected);
          if (!(await caller.call(ask))) return 1;
        }
        await end(tab, dice);
      }
      return 0;
    });
    return await Promise.race([leave.then(() => 0), ...lives]);
  } finally {
    isOver = true;
    await chromium.close();
    await pages.close();
  }
}

async function openTab(chromium: Chromium, pages: Pages, { service, fast }: Arguments): Promise<Page> {
  const page = await chromium.profile.newPage();
  await page.goto(pages.foreignOrigin);
  await page.evaluate((opened) => globalThis.app.open(opened), {
    baseUrl: service,
    transport: "cookie" as const,
    allowedOrigins: [],
    fast,
  });
  return page;
}

/** Signs in, unless the profile's cookie still serves, however often that takes. */
async function signInPatiently(page: Page, { user, password }: Arguments, tell: Tell): Promise<void> {
  for (;;) {
    const { token, error } = await page.evaluate(() => globalThis.app.token({}));
    if (token !== undefined) return;
    if (error === "signed_out" || error === "cookie_missing") {
      const made = await page.evaluate(([user, password]) => globalThis.app.signIn(user, password), [
        user,
        password,
      ] as const);
      if (made.error === undefined) return;
      if (made.error !== "unavailable") throw new Error(`nobody can sign in: ${made.error}`);
    }
    tell("unavailable");
  }
}

/** Ends a tab, whatever is under way in it. */
async function end(page: Page, dice: Dice): Promise<void> {
  if (dice.chance(300)) {
    const crashed = new Promise((resolve) => page.once("crash", resolve));
    const session = await page.context().newCDPSession(page);
    void session.send("Page.crash").catch(() => undefined);
    await crashed;
  }
  await page.close();
}
