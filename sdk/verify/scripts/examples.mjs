// Takes the examples out of the README, each into a file of its own, so that the compiler and the tests see them.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes each block marked `ts` or `js` to `folder`, and returns how many there were. */
export function extract(readme, folder) {
  mkdirSync(folder, { recursive: true });
  const blocks = [...readme.matchAll(/^```(?:ts|js)\n([\s\S]*?)^```$/gm)].map(([, code]) => code);
  blocks.forEach((code, at) => {
    writeFileSync(join(folder, `example-${at + 1}.ts`), code);
  });
  return blocks.length;
}
