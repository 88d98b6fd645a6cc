// Clients that the chaos harness starts as programs of its own (`Program` in `daypass-chaos`), as it starts its Rust ones:
//
//   node chaos-client.js KIND --user NAME --password PASSWORD [--tabs N] [--page-port PORT]
//     --service URL --store PATH --seed N --factor N --base NANOSECONDS [--signed-in]
//
// `Program.arguments` are the script and all up to `--page-port`; the rest is what the harness adds by itself.
//
//   KIND         `node`: a Node program on the file store of `@daypass/client/node`. Any number may share a store, and be
//                killed at any moment. `browser`: one Chromium whose tabs share a session by cookie, and are closed and
//                crashed at random. It has to be asked to leave: a browser that is killed again and again loses more
//                cookies than a session can bear (see docs/rotation.md).
//   --user       who signs in, if nobody is signed in on the store. Its format is not that of the Rust programs, so that
//                a store of theirs under the same path is left alone.
//   --tabs       of the browser; 4 if absent.
//   --page-port  where the browser's page is served on 127.0.0.1; its origin has to be among the service's
//                `allowed_origins`.
//   --service    the URL of the service, or of the proxy before it.
//   --store      the file (Node, with `.node` at its end) or the profile folder (browser, with `.profile`).
//   --seed       what chance is drawn from.
//   --signed-in  somebody has signed in on this store before: where nobody is, that is a sign-out to be told of.
//   --factor, --base   a clock that runs so many times as fast as the system's since this time of day.
//
// Each line on the standard output is a report, in JSON: "renewed", "unavailable", {"signed_out": WHY}, {"failed": WHY}.
// After one of the last two it ends. It leaves when its standard input is closed.

import { parseArgs } from "node:util";

import { browserClient } from "./chaos/browser.js";
import { nodeClient } from "./chaos/node.js";
import type { Arguments, Report } from "./chaos/report.js";

function read(): Arguments {
  const text = { type: "string" } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      user: text,
      password: text,
      tabs: text,
      "page-port": text,
      service: text,
      store: text,
      seed: text,
      factor: text,
      base: text,
      "signed-in": { type: "boolean" },
    },
  });
  const need = (name: Exclude<keyof typeof values, "signed-in">): string => {
    const value = values[name];
    if (value === undefined) throw new Error(`--${name} is missing`);
    return value;
  };
  const [kind] = positionals;
  if (kind !== "node" && kind !== "browser") throw new Error("the first argument is `node` or `browser`");
  return {
    kind,
    user: need("user"),
    password: need("password"),
    tabs: Number(values.tabs ?? 4),
    pagePort: Number(values["page-port"] ?? 0),
    service: need("service"),
    store: need("store"),
    signedIn: values["signed-in"] === true,
    // Seeds of the harness have 64 bits; the lower half of them will do.
    seed: Number(BigInt.asUintN(32, BigInt(need("seed")))),
    fast: { factor: Number(values.factor ?? 1), base: Number(BigInt(values.base ?? "0") / 1_000_000n) },
  };
}

function tell(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

const given = read();
// Nothing is ever written to it.
const leave = new Promise<void>((resolve) =>
  process.stdin
    .on("end", resolve)
    .on("error", () => resolve())
    .resume(),
);
process.stdout.on("error", () => process.exit(0));
const client = given.kind === "node" ? nodeClient : browserClient;
const code = await client(given, tell, leave).catch((error: Error) => {
  tell({ failed: error.message });
  return 1;
});
process.exit(code);
