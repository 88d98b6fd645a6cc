// Compiles the package into dist.

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${root}/dist`, { recursive: true, force: true });
execFileSync("npx", ["--no-install", "tsc", "-p", "."], { cwd: root, stdio: "inherit" });
