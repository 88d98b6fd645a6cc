// Packs the package as it would be published, and runs the tests against that.
//
//   node scripts/test.mjs [--only NAME...]     NAME is a part of a test file's path
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const made = join(root, "test", ".made");
const modules = join(root, "test", "node_modules");
const only = process.argv.slice(process.argv.indexOf("--only") + 1);
const wanted = (path) => !process.argv.includes("--only") || only.some((part) => path.includes(part));

function run(program, args) {
  execFileSync(program, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
}

function pack() {
  run(process.execPath, ["scripts/build.mjs"]);
  rmSync(made, { recursive: true, force: true });
  rmSync(modules, { recursive: true, force: true });
  mkdirSync(join(modules, "@daypass", "verify"), { recursive: true });
  mkdirSync(made, { recursive: true });
  run("npm", ["pack", "--silent", "--pack-destination", made]);
  const archive = readdirSync(made).find((name) => name.endsWith(".tgz"));
  const target = join(modules, "@daypass", "verify");
  run("tar", ["-xzf", join(made, archive), "-C", target, "--strip-components=1"]);
}

function typeCheck() {
  const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
  const tsc = join(dirname(typescript), "bin", "tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.json"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(1);
}

function sources(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith(".ts") && !path.includes("node_modules"));
}

pack();
const { extract } = await import("./examples.mjs");
extract(readFileSync(join(root, "README.md"), "utf8"), join(made, "readme"));
typeCheck();
const files = sources(join(root, "test")).filter((path) => !path.startsWith(made));
await build({
  entryPoints: files,
  outdir: made,
  outbase: join(root, "test"),
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: "inline",
});
const tests = files
  .map((path) => join(made, relative(join(root, "test"), path).replace(/\.ts$/, ".js")))
  .filter((path) => path.endsWith(".test.js") && wanted(relative(made, path)));
if (tests.length === 0 || !tests.every(existsSync)) throw new Error("there is no such test");
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", "--test-concurrency=2", ...tests], {
  cwd: root,
  stdio: "inherit",
});
process.exit(status ?? 1);
