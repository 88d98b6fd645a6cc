// Measures what the main entry of the packed package adds to a page, and fails above the limit.

import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

/** In bytes: 8 kB as browsers fetch it, and 8 KiB where a server has gzip only. */
const LIMIT = { brotli: 8000, gzip: 8192 };
const root = process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url));
const entries = {
  ".": "index.js",
  "./local-storage": "store/local.js",
  "./react": "react.js",
  "./node": "node/index.js",
};

for (const [name, file] of Object.entries(entries)) {
  const { outputFiles } = await build({
    entryPoints: [`${root}/dist/${file}`],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: name === "./node" ? "node" : "browser",
    external: ["react"],
    write: false,
  });
  const { contents } = outputFiles[0];
  const sizes = { gzip: gzipSync(contents, { level: 9 }).length, brotli: brotliCompressSync(contents).length };
  console.log(`${name}: ${contents.length} bytes minified, ${sizes.gzip} gzip, ${sizes.brotli} brotli`);
  for (const [kind, limit] of Object.entries(LIMIT)) {
    if (name !== "." || sizes[kind] <= limit) continue;
    console.error(`the main entry has ${sizes[kind] - limit} bytes of ${kind} too many`);
    process.exitCode = 1;
  }
}
