// How long it takes from the cold load of a page to a usable session: `npm run measure`, with `-- --json` for figures
// that programs read. Each load is in a fresh browser context that has nothing but the live session's cookie.

import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { brotliCompressSync, gzipSync } from "node:zlib";

import type { Profile } from "./harness/profile.js";
import { PASSWORD } from "./harness/service.js";
import { soon } from "./harness/until.js";
import { World } from "./harness/world.js";

const LOADS = 30;

/** Times of one load, in milliseconds since navigation began. */
interface Load {
  /** The page's script runs. */
  script: number;
  /** There is an access token. */
  session: number;
  /** An API has answered a call with it. */
  answer: number;
}

/** Loads the page once and waits until an API has answered it. */
async function visit(profile: Profile, query: Record<string, string>): Promise<Load> {
  const tab = await profile.open({ path: `/measure?${new URLSearchParams(query)}`, bare: true });
  const done = tab.page.waitForFunction(() => globalThis.times?.["answer"] !== undefined, undefined, { timeout: 0 });
  await soon("the page is ready", done);
  return tab.run(() => globalThis.times as unknown as Load, undefined);
}

async function load(world: World): Promise<Load> {
  const where = { service: world.proxy.url, api: world.api.url };
  const before = await world.profile();
  await visit(before, { ...where, name: "ada", password: PASSWORD });
  const cookies = await before.context.cookies();
  await before.close();
  const fresh = await world.profile();
  await fresh.context.addCookies(cookies);
  const times = await visit(fresh, where);
  await fresh.close();
  return times;
}

function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round((sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN) * 10) / 10;
}

const world = await World.open();
try {
  const loads: Load[] = [];
  // The first warms up browser and service.
  for (let i = 0; i <= LOADS; i++) {
    const times = await load(world);
    if (i > 0) loads.push(times);
  }
  const of = (name: keyof Load): { p50: number; p95: number } => {
    const values = loads.map((times) => times[name]);
    return { p50: quantile(values, 0.5), p95: quantile(values, 0.95) };
  };
  const script = readFileSync(new URL("../page/measure.js", import.meta.url));
  const figures = {
    loads: LOADS,
    browser: await world.version(),
    cores: cpus().length,
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    milliseconds: { script: of("script"), session: of("session"), answer: of("answer") },
    bytes: {
      html: world.pages.weights.get("/measure") ?? 0,
      script: {
        plain: script.length,
        gzip: gzipSync(script, { level: 9 }).length,
        brotli: brotliCompressSync(script).length,
      },
    },
  };
  if (process.argv.includes("--json")) console.log(JSON.stringify(figures));
  else print(figures);
} finally {
  await world.close();
}

function print({
  loads,
  browser,
  cores,
  load,
  milliseconds,
  bytes,
}: {
  loads: number;
  browser: string;
  cores: number;
  load: number;
  milliseconds: Record<keyof Load, { p50: number; p95: number }>;
  bytes: { html: number; script: { plain: number; gzip: number; brotli: number } };
}): void {
  console.log(`Chromium ${browser}, ${loads} cold loads with a live session, ${cores} cores, load ${load}\n`);
  console.log("since navigation began                p50        p95");
  const line = (what: string, { p50, p95 }: { p50: number; p95: number }): void =>
    console.log(`${what.padEnd(32)}${`${p50} ms`.padStart(10)} ${`${p95} ms`.padStart(10)}`);
  line("the script runs", milliseconds.script);
  line("there is an access token", milliseconds.session);
  line("an API has answered with it", milliseconds.answer);
  const { plain, gzip, brotli } = bytes.script;
  console.log(`\npage ${bytes.html} bytes, script ${plain} bytes (gzip ${gzip}, brotli ${brotli})`);
}
