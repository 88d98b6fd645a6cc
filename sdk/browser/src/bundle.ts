// Puts each page's script and what it imports into one file, as the build of a web site does.

import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

await build({
  entryPoints: ["app.ts", "react.tsx", "measure.ts"].map((name) => here(`../../src/page/${name}`)),
  outdir: here("../page"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
});
