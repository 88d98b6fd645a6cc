// Measures what the main entry of the packed package adds to a page, and fails above the limit.

import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const LIMIT = 8000;
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
  const gzip = gzipSync(contents, { level: 9 }).length;
  console.log(
    `${name}: ${contents.length} bytes minified, ${gzip} gzip, ${brotliCompressSync(contents).length} brotli`,
  );
  if (name === "." && gzip > LIMIT) {
    console.error(`the main entry has ${gzip - LIMIT} bytes too many`);
    process.exitCode = 1;
  }
}
