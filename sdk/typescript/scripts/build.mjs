// Compiles the package into dist, and makes it small: what nobody outside can name gets short names.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

/** Members of the engine's own values: none is of a platform's object, of JSON or of the public types. */
const INTERNAL = `ahead asked awoke backoff began changing closing cookieless current ended env failures flight hasFailed
  here jitter mismatches out outbox pair since skew snapshot told tries unpersisted unseen unwritten wakers wall wish stop landed listeners`;

rmSync(dist, { recursive: true, force: true });
execFileSync("npx", ["--no-install", "tsc", "-p", "."], { cwd: root, stdio: "inherit" });
let mangleCache = {};
for (const name of readdirSync(dist, { recursive: true }).sort()) {
  if (!name.endsWith(".js")) continue;
  const file = join(dist, name);
  const made = await transform(readFileSync(file, "utf8"), {
    target: "es2022",
    mangleProps: new RegExp(`^(${INTERNAL.trim().split(/\s+/).join("|")})$`),
    mangleCache,
  });
  ({ mangleCache } = made);
  writeFileSync(file, made.code);
}
