/** The only importer of classic-level. */
import { statfsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { StoreError } from "@canopy/store";
import { ClassicLevel } from "classic-level";
import { closedError, isLocked, storeErrorOf } from "./errors.ts";

export type Op =
  | { readonly type: "put"; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: "del"; readonly key: Buffer };

const ENCODING = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;
const MIB = 2 ** 20;
/** Entries per step of a scan. */
const SCAN = 1000;

/**
 * LevelDB must not even try to open what this process has open: by closing the lock file again it
 * would give up the lock that keeps other processes out (so POSIX has it).
 */
const openFolders = new Set<string>();

/**
 * One LevelDB database that can be closed and opened again below its users: reads wait meanwhile.
 *
 * After a failed write nothing more may be written to LevelDB's present log: the part of the record
 * that reached it would make what follows unreadable, and closing may complete it. So whoever
 * writes must call {@link reopen} before the next write.
 */
export class Database {
  readonly folder: string;
  #level: ClassicLevel<Buffer, Buffer>;
  /** Set while it is closed to be opened again. */
  #reopening: Promise<void> | undefined;
  /** Why it could not be opened again. */
  #lost: StoreError | undefined;
  #reads = 0;
  #idle: (() => void) | undefined;
  #closed = false;

  private constructor(folder: string, level: ClassicLevel<Buffer, Buffer>) {
    this.folder = folder;
    this.#level = level;
  }

  /** Throws `unavailable` if another process has the folder, and other StoreErrors. */
  static async open(given: string): Promise<Database> {
    const folder = resolve(given);
    if (openFolders.has(folder)) throw inUse(folder);
    openFolders.add(folder);
    try {
      await refuseHeadless(folder);
      return new Database(folder, await openLevel(folder));
    } catch (error) {
      openFolders.delete(folder);
      throw error;
    }
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#read(() => this.#level.get(key, { fillCache: false }));
  }

  /** Neighbours are often in one block of a table, so blocks are kept for a moment. */
  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.#read(() => this.#level.getMany(keys));
  }

  /** Visits all entries whose key begins like this, in order, in steps. */
  async scan(
    prefix: Buffer,
    end: Buffer,
    visit: (key: Buffer, value: Buffer) => void,
  ): Promise<void> {
    await this.#read(async () => {
      const iterator = this.#level.iterator({ gte: prefix, lt: end, highWaterMarkBytes: 4 * MIB });
      try {
        for (;;) {
          const entries = await iterator.nextv(SCAN);
          if (entries.length === 0) return;
          for (const [key, value] of entries) visit(key, value);
        }
      } finally {
        await iterator.close();
      }
    });
  }

  /** The keys in a range. */
  keys(from: Buffer, end: Buffer, limit: number): Promise<Buffer[]> {
    return this.#read(() => this.#level.keys({ gte: from, lt: end, limit }).all());
  }

  /** Only one at a time, and none after a failure before {@link reopen}. */
  async write(ops: Op[], sync: boolean): Promise<void> {
    if (this.#closed) throw closedError("store");
    if (this.#lost !== undefined) throw this.#lost;
    try {
      await this.#level.batch(ops, { sync });
    } catch (error) {
      throw storeErrorOf(error);
    }
  }

  /** Gives room back that deleted keys of this range still take. */
  async compact(from: Buffer, end: Buffer): Promise<void> {
    await this.#read(() => this.#level.compactRange(from, end));
  }

  /** Closes and opens again. Throws; then reads fail too until it is called again. */
  async reopen(): Promise<void> {
    if (this.#closed) throw closedError("store");
    const opening = this.#openAgain();
    this.#reopening = opening.catch(() => {});
    try {
      await opening;
    } finally {
      this.#reopening = undefined;
    }
  }

  async #openAgain(): Promise<void> {
    if (this.#reads > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    try {
      await this.#level.close();
      this.#level = await openLevel(this.folder);
      this.#lost = undefined;
    } catch (error) {
      this.#lost = storeErrorOf(error);
      throw this.#lost;
    }
  }

  async close(): Promise<void> {
    await this.#reopening;
    this.#closed = true;
    try {
      await this.#level.close();
    } catch (error) {
      throw storeErrorOf(error);
    } finally {
      openFolders.delete(this.folder);
    }
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    while (this.#reopening !== undefined) await this.#reopening;
    if (this.#closed) throw closedError("store");
    if (this.#lost !== undefined) throw this.#lost;
    this.#reads++;
    try {
      return await read();
    } catch (error) {
      throw storeErrorOf(error);
    } finally {
      if (--this.#reads === 0) this.#idle?.();
    }
  }

  /** Bytes of the logs, which opening has to write again as tables. */
  async logBytes(): Promise<number> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith(".log"));
    const sizes = await Promise.all(names.map((name) => stat(join(this.folder, name))));
    return sizes.reduce((sum, { size }) => sum + size, 0);
  }

  /** Room on the file system; undefined where it can't be told. */
  room(): { free: number; total: number } | undefined {
    try {
      const { bavail, blocks, bsize } = statfsSync(this.folder);
      return { free: bavail * bsize, total: blocks * bsize };
    } catch {
      return undefined;
    }
  }
}

function inUse(folder: string, cause?: unknown): StoreError {
  const message = `the store in ${folder} is in use by another process, or twice by this one`;
  return new StoreError("unavailable", message, { cause });
}

async function openLevel(folder: string): Promise<ClassicLevel<Buffer, Buffer>> {
  const level = new ClassicLevel<Buffer, Buffer>(folder, {
    ...ENCODING,
    writeBufferSize: 16 * MIB,
    // A compaction may need room for 25 files of this size before it gives any back.
    maxFileSize: 2 * MIB,
    maxOpenFiles: 2000,
    blockSize: 16 * 1024,
    cacheSize: 8 * MIB,
  });
  try {
    await level.open();
    return level;
  } catch (error) {
    if (isLocked(error)) throw inUse(folder, error);
    throw storeErrorOf(error);
  }
}

/**
 * LevelDB would begin an empty database beside data whose file CURRENT is gone. It writes CURRENT
 * before it has any data, so data without it is damage, not a beginning that was cut off.
 */
async function refuseHeadless(folder: string): Promise<void> {
  let files: string[];
  try {
    files = await readdir(folder);
  } catch {
    return; // there is nothing yet
  }
  if (files.includes("CURRENT") || !files.some((file) => /\.(ldb|sst|log)$/.test(file))) return;
  throw new StoreError(
    "corrupt",
    `${folder} holds data, but its file CURRENT is missing: put it back, or restore a backup`,
  );
}
