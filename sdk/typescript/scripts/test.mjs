// Runs all checks on the package as it is packed: types, rules, README, size, publication.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const stage = join(root, ".stage");
const packed = join(stage, "node_modules/@daypass/client");

function run(command, ...parameters) {
  execFileSync(command, parameters, { cwd: root, stdio: "inherit" });
}

/** Puts the packed package where the tests import it from. */
function unpack() {
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(packed, { recursive: true });
  const said = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", stage], { cwd: root });
  const [entry] = Object.values(JSON.parse(said.toString()));
  const tarball = join(stage, entry.filename);
  run("tar", "-xzf", tarball, "-C", packed, "--strip-components=1");
  return tarball;
}

/** Writes each example of the README to a file of its own. */
function examples() {
  const text = readFileSync(join(root, "README.md"), "utf8");
  const found = [...text.matchAll(/^```(tsx?)\n(.*?)^```$/gms)];
  if (found.length === 0) throw new Error("the README has no examples");
  mkdirSync(join(stage, "readme"), { recursive: true });
  for (const [i, [, kind, code]] of found.entries()) {
    writeFileSync(join(stage, `readme/example-${i + 1}.${kind}`), `${code}\nexport {};\n`);
  }
}

run("node", "scripts/build.mjs");
const tarball = unpack();
cpSync(join(root, "tests"), join(stage, "tests"), { recursive: true });
cpSync(join(root, "tests/tsconfig.json"), join(stage, "tsconfig.json"));
writeFileSync(join(stage, "package.json"), JSON.stringify({ name: "stage", private: true, type: "module" }));
examples();
run("npx", "--no-install", "tsc", "-p", join(stage, "tsconfig.json"));
run("npx", "--no-install", "tsc", "-p", join(stage, "tests/types/tsconfig.json"));
const only = process.argv.slice(2);
const tests = readdirSync(join(stage, "tests"))
  .filter((name) => name.endsWith(".test.js") && (only.length === 0 || only.some((word) => name.includes(word))))
  .map((name) => join(stage, "tests", name));
// Two hundred loops take some minutes.
const patience = process.env.DAYPASS_LOOPS ? 1_800_000 : 120_000;
run("node", "--test", `--test-timeout=${patience}`, "--test-reporter=dot", ...tests);
if (only.length === 0) {
  run("node", "scripts/size.mjs", packed);
  run("npx", "--no-install", "publint", "--strict", packed);
  run("npx", "--no-install", "attw", tarball, "--profile", "esm-only");
}
