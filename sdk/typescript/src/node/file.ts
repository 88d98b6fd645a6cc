// A session in a file, for any number of Node processes on one machine that share it.

import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { config } from "../errors.js";
import { type SessionRecord, sealed } from "../record.js";
import type { Exchange, Stored, TokenStore } from "../store/store.js";
import { acquire, FOR_A_REQUEST, FOR_A_WRITE } from "./lock.js";

/** How far a write has come: on the disk under a name of its own, or under the file's. */
export type Step = "written" | "renamed";

/** For tests. */
export interface FileStoreOptions {
  /** Calls when a write has come so far. */
  readonly observe?: (step: Step) => void;
}

/** The format's name. Rust programs have another, and another kind of lock: neither touches the other's file. */
const FORMAT = "daypass-node-1";

/** How long a writer waits for another before he gives up, in milliseconds. Writing takes a few. */
const WRITERS_WAIT = 5000;

/** How many bytes a session may have: several times what one needs. */
const LONGEST = 65_536;

/**
 * Keeps the session in a JSON file that only its owner can read (mode 0600; its folder is made with 0700 if there is
 * none). A write is a new file, synced and renamed over the old one, under a lock beside it: a reader, a crash or a power
 * cut never meets half a session. What is not a session of this format is an error to readers and writers alike and stays
 * as it is. The file stays after a sign-out and says that there is no session; deleting it is a sign-out, too.
 */
export function fileStore(path: string, { observe }: FileStoreOptions = {}): TokenStore {
  const file = resolve(path);
  const folder = dirname(file);
  let cleaned = false;
  /** The version that is known to survive a power cut. */
  let durable: string | undefined;

  const load = async (): Promise<Stored> => {
    const text = await read(file);
    if (text === undefined) return { version: "", record: null };
    const stored = decode(text);
    // Its writer may have died before its name was on the disk: an id that can still be lost must not be sent.
    if (durable !== stored.version) await sync(folder);
    durable = stored.version;
    return stored;
  };

  const exchange = async (version: string, record: SessionRecord | null): Promise<Exchange> => {
    const there = await load();
    if (there.version !== version) return { done: false, stored: there };
    if (!cleaned) await clean(file);
    cleaned = true;
    const stored = { version: randomBytes(16).toString("hex"), record };
    await replace(file, stored, observe);
    durable = stored.version;
    return { done: true, stored };
  };

  return {
    load,
    compareExchange: async (version, record) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const release = await acquire(`${file}.lock`, WRITERS_WAIT, FOR_A_WRITE);
      if (!release) throw config("the session's file is being written by somebody else all the time");
      try {
        return await exchange(version, record);
      } finally {
        release();
      }
    },
    lock: async (wait) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      return acquire(`${file}.renewal`, wait, FOR_A_REQUEST);
    },
  };
}

/** Reads the file. Undefined if there is none. */
async function read(file: string): Promise<string | undefined> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { mode, uid, size } = await handle.stat();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw config("the session's file is no regular file");
    if (process.getuid && uid !== process.getuid()) throw config("the session's file belongs to another user");
    if (size > LONGEST) throw config("the session's file holds no session");
    // Others could read it. They cannot any more.
    if (process.getuid && mode & 0o077) await handle.chmod(0o600);
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

function decode(text: string): Stored {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw config("the session's file holds no session");
  }
  const { format, version, record } = json as Partial<Stored> & { format?: unknown };
  if (format !== FORMAT || typeof version !== "string" || version === "" || record === undefined) {
    throw config("the session's file is of a format that this release does not know");
  }
  return { version, record: record && sealed(record) };
}

/** Puts a state in the file's place, so that a reader sees all of it or none, even after a power cut. */
async function replace(file: string, stored: Stored, observe: FileStoreOptions["observe"]): Promise<void> {
  const unfinished = join(dirname(file), `.${basename(file)}.${stored.version}.tmp`);
  try {
    const handle = await open(unfinished, "wx", 0o600);
    try {
      await handle.writeFile(`${JSON.stringify({ format: FORMAT, ...stored })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    observe?.("written");
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  observe?.("renamed");
  await sync(dirname(file));
}

/** A new name is on the disk when its folder is. Where folders cannot be synced there is nothing to do. */
async function sync(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    if (!["EINVAL", "ENOTSUP", "EPERM"].includes(String((error as { code?: unknown }).code))) throw error;
  } finally {
    await handle.close();
  }
}

/** Removes what killed writers left. Whoever calls this holds the writers' lock: nobody else is writing. */
async function clean(file: string): Promise<void> {
  const start = `.${basename(file)}.`;
  for (const name of await readdir(dirname(file))) {
    const middle = name.startsWith(start) && name.endsWith(".tmp") ? name.slice(start.length, -4) : "";
    if (/^[0-9a-f]{32}$/.test(middle)) await rm(join(dirname(file), name), { force: true });
  }
}
