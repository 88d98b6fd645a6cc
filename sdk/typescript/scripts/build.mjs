// Compiles the package into dist, and makes it small: what nobody outside can name gets short names, and constants that
// only readers need a name for have none.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

/** Members of the engine's own values: none is of a platform's object, of JSON or of the public types. */
const INTERNAL = `ahead asked awoke began changing closing cookieless current ended env failures flight frozen hasFailed
  here jitter listen mismatches next out outbox pair post skew snapshot told unseen unwritten wakers wall stop landed listeners`;

/** Puts a module's own numbers, texts and patterns in place of their names. */
function inlined(code) {
  const found = /^const ([A-Z_]+) =\s+([\d_*() ]+|"[^"\n]*"|\/.*\/i?);\n/m.exec(code);
  if (!found) return code;
  const [all, name, value] = found;
  return inlined(code.replace(all, "").replaceAll(new RegExp(`\\b${name}\\b`, "g"), () => `(${value})`));
}

rmSync(dist, { recursive: true, force: true });
execFileSync("npx", ["--no-install", "tsc", "-p", "."], { cwd: root, stdio: "inherit" });
let mangleCache = {};
for (const name of readdirSync(dist, { recursive: true }).sort()) {
  if (!name.endsWith(".js")) continue;
  const file = join(dist, name);
  const made = await transform(inlined(readFileSync(file, "utf8")), {
    target: "es2022",
    mangleProps: new RegExp(`^(${INTERNAL.trim().split(/\s+/).join("|")})$`),
    mangleCache,
    minifySyntax: true,
  });
  ({ mangleCache } = made);
  writeFileSync(file, made.code);
}
