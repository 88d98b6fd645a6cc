// The file store: an exchange across processes, and what remains of those that were killed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createSession, type SessionRecord } from "@daypass/client";
import { fileStore } from "@daypass/client/node";
import { Binary, PASSWORD } from "./support/binary.js";

const PROGRAM = fileURLToPath(new URL("support/program.js", import.meta.url));
/** Two hundred take some minutes. */
const LOOPS = process.env["DAYPASS_LOOPS"] ?? "5";

let service: Binary;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "daypass-file-"));
  service = await Binary.start();
});

after(async () => {
  await service.end();
  rmSync(folder, { recursive: true, force: true });
});

function record(generation: number): SessionRecord {
  return { service: "s", session_id: "x", generation, refresh_token: "dpr_x", attempts: [] };
}

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly said: string;
}

function program(file: string, loops: string, ahead = 0, killAt = ""): Promise<End> {
  const child = spawn(process.execPath, [PROGRAM, service.origin, file, loops, String(ahead), killAt]);
  let said = "";
  child.stdout.on("data", (data) => (said += data));
  child.stderr.on("data", (data) => (said += data));
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, said })));
}

async function signIn(file: string): Promise<void> {
  const store = fileStore(file);
  const session = createSession({ baseUrl: service.origin, allowedOrigins: [], transport: "token", store });
  await session.signIn({ username: "ada", password: PASSWORD });
}

test("an exchange is atomic, and readers never meet half a session", async () => {
  const file = join(folder, "atomic/session.json");
  const stores = Array.from({ length: 5 }, () => fileStore(file));
  let done = 0;
  await Promise.all(
    stores.map(async (store) => {
      for (let i = 0; i < 20; i++) {
        const { version, record: there } = await store.load();
        const generation = (there?.generation ?? 0) + 1;
        if ((await store.compareExchange(version, record(generation))).done) done++;
      }
    }),
  );
  assert.equal((await fileStore(file).load()).record?.generation, done);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, "atomic")).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(join(folder, "atomic")), ["session.json"]);
});

test("what is no session is left alone, and what others could read is closed to them", async () => {
  const foreign = [
    "",
    "{}",
    '{"format":1,"version":"x","record":null}',
    '{"format":"daypass-node-1"}',
    "x".repeat(70_000),
  ];
  for (const [i, text] of foreign.entries()) {
    const file = join(folder, `foreign-${i}.json`);
    writeFileSync(file, text);
    const store = fileStore(file);
    await assert.rejects(store.load());
    await assert.rejects(store.compareExchange("", null));
    assert.equal(readFileSync(file, "utf8"), text);
  }
  const file = join(folder, "open.json");
  await fileStore(file).compareExchange("", record(1));
  chmodSync(file, 0o644);
  await fileStore(file).load();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  symlinkSync(file, join(folder, "link.json"));
  await assert.rejects(fileStore(join(folder, "link.json")).load());
  mkdirSync(join(folder, "folder.json"));
  await assert.rejects(fileStore(join(folder, "folder.json")).load());
});

test("a lock of a dead process is taken away, one of a living process never", async () => {
  const file = join(folder, "locked.json");
  const holder = (pid: number, nonce: string, started = "") => JSON.stringify({ nonce, pid, started, place: "" });
  const child = spawn(process.execPath, ["-e", ""]);
  await new Promise((resolve) => child.on("exit", resolve));
  const lock = fileStore(file).lock;
  assert.ok(lock);
  const release = await lock(0);
  assert.ok(release);
  const own = JSON.parse(readFileSync(`${file}.renewal`, "utf8"));
  assert.equal(await lock(50), null, "it is held");
  release();
  const dead = { ...own, pid: child.pid };
  writeFileSync(`${file}.renewal`, JSON.stringify({ ...dead, nonce: "a" }));
  writeFileSync(`${file}.renewal.a.dead`, JSON.stringify({ ...dead, nonce: "b" }));
  (await lock(1000))?.();
  writeFileSync(`${file}.renewal`, JSON.stringify({ ...own, nonce: "c", started: "1" }));
  const reused = await lock(1000);
  assert.ok(reused, "the number is another process's by now");
  reused();
  writeFileSync(`${file}.renewal`, holder(child.pid ?? 0, "d"));
  assert.equal(await lock(20), null, "whoever cannot be judged is alive");
  rmSync(`${file}.renewal`);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("locked")),
    [],
  );
});

test(`s13 eight processes, ${LOOPS} loops, a lifetime of one second: no invalid_grant`, async () => {
  const file = join(folder, "shared/session.json");
  await signIn(file);
  const store = fileStore(file);
  const ends = Promise.all(Array.from({ length: 8 }, () => program(file, LOOPS)));
  let over = false;
  void ends.then(() => {
    over = true;
  });
  let generation = 0;
  while (!over) {
    const { record } = await store.load();
    assert.ok((record?.generation ?? -1) >= generation, "the store always parses, and never goes back");
    generation = record?.generation ?? 0;
  }
  for (const end of await ends) assert.deepEqual(end, { code: 0, signal: null, said: "active" });
  assert.ok(generation >= Number(LOOPS) - 1);
  assert.equal(await service.renewals("reused"), 0);
});

for (const point of ["written-1", "renamed-1", "before-request", "after-request", "written-2", "renamed-2"]) {
  test(`s14 killed at ${point}, the next start recovers`, async () => {
    const file = join(folder, `killed-${point}/session.json`);
    await signIn(file);
    const { record: first } = await fileStore(file).load();
    const killed = await program(file, "1", 1000, point);
    assert.equal(killed.signal, "SIGKILL", killed.said);
    assert.deepEqual(await program(file, "1", 2100), { code: 0, signal: null, said: "active" });
    const { record: last } = await fileStore(file).load();
    assert.equal(last?.session_id, first?.session_id);
    assert.equal(await service.renewals("reused"), 0);
    const unfinished = readdirSync(join(folder, `killed-${point}`)).filter((name) => name.endsWith(".tmp"));
    assert.deepEqual(unfinished, []);
  });
}
