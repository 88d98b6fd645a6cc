// The package as it is published: its contents, its types, and the examples in its README.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const made = dirname(fileURLToPath(import.meta.url));
const root = join(made, "../..");
const require = createRequire(import.meta.url);
const installed = join(made, "../node_modules/@daypass/verify");
const archive = join(made, readdirSync(made).find((name) => name.endsWith(".tgz")) ?? "");

function bin(name: string, command: string): string {
  const manifest = require.resolve(`${name}/package.json`);
  return join(dirname(manifest), JSON.parse(readFileSync(manifest, "utf8")).bin[command]);
}

test("it is the packed package that is tested", () => {
  assert.equal(fileURLToPath(import.meta.resolve("@daypass/verify")), join(installed, "dist/index.js"));
});

test("publint finds nothing", async () => {
  const { publint } = await import("publint");
  const { messages } = await publint({ pkgDir: installed, strict: true });
  assert.deepEqual(messages, []);
});

test("the types are not wrong", () => {
  const attw = bin("@arethetypeswrong/cli", "attw");
  const args = [attw, archive, "--profile", "esm-only", "--format", "ascii", "--no-color", "--no-emoji"];
  const said = execFileSync(process.execPath, args, { encoding: "utf8", cwd: root });
  // It ends with an error if a type is wrong; ES modules only is meant.
  assert.equal(said.match(/node16 \(from ESM\): OK \(ESM\)/g)?.length, 5);
});

test("one dependency, and nothing in it but what is needed", () => {
  const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  assert.deepEqual(Object.keys(manifest.dependencies), ["jose"]);
  const files = readdirSync(installed, { recursive: true }).map(String);
  assert.deepEqual(files.filter((name) => !/^dist(\/|$)/.test(name)).sort(), ["LICENSE", "README.md", "package.json"]);
  for (const name of files.filter((name) => name.endsWith(".js"))) {
    const code = readFileSync(join(installed, name), "utf8");
    const imported = [...code.matchAll(/from ['"]([^.'"][^'"]*)['"]/g)].map(([, name]) => name);
    for (const one of imported) assert.ok(one === "jose" || one?.startsWith("node:"), `${name} imports ${one}`);
    assert.doesNotMatch(code, /console\.|process\.env/, name);
  }
});

test("types: issuer, audience and keys are mandatory, algorithms are a list of names", async () => {
  const { createVerifier, staticKeys } = await import("@daypass/verify");
  const keys = staticKeys({ keys: [] });
  assert.throws(() => {
    // @ts-expect-error: no issuer
    createVerifier({ audience: "x", keys });
  });
  assert.throws(() => {
    // @ts-expect-error: no audience
    createVerifier({ issuer: "x", keys });
  });
  assert.throws(() => {
    // @ts-expect-error: an empty list of audiences
    createVerifier({ issuer: "x", audience: [], keys });
  });
  assert.throws(() => {
    // @ts-expect-error: no keys
    createVerifier({ issuer: "x", audience: "x" });
  });
  assert.throws(() => {
    // @ts-expect-error: no algorithm of ours
    createVerifier({ issuer: "x", audience: "x", keys, algorithms: ["HS256"] });
  });
  assert.throws(() => {
    // @ts-expect-error: nothing is accepted
    createVerifier({ issuer: "x", audience: "x", keys, algorithms: [] });
  });
  const told = { name: "ConfigError" };
  // @ts-expect-error: a name is not a list of its letters
  assert.throws(() => createVerifier({ issuer: "x", audience: "x", keys, requireScopes: "read" }), told);
  // @ts-expect-error: nor here
  assert.throws(() => createVerifier({ issuer: "x", audience: "x", keys, requireClaims: "name" }), told);
  // @ts-expect-error: nor here
  assert.throws(() => createVerifier({ issuer: "x", audience: "x", keys, types: "at+jwt" }), told);
});

test("every example of the README was compiled", () => {
  const readme = readFileSync(join(installed, "README.md"), "utf8");
  const blocks = readme.match(/^```(?:ts|js)$/gm) ?? [];
  const compiled = readdirSync(join(made, "readme")).filter((name) => /^example-\d+\.ts$/.test(name));
  assert.ok(blocks.length >= 6);
  assert.equal(compiled.length, blocks.length);
});
