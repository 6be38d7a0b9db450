/**
 * A disk in memory that forgets at a crash what was not synced: of each sector any of the contents
 * that it had since, of the names a prefix of the changes. It fails when it is told to.
 */
import { dirname } from "node:path";
import { type Random, randomBool, randomInt } from "@canopy/base";
import type { Disk, DiskFile } from "../../src/index.ts";

export const SECTOR = 64;

export type Operation =
  | "write"
  | "sync"
  | "create"
  | "open"
  | "rename"
  | "remove"
  | "syncDirectory";

interface Change {
  readonly at: number;
  readonly bytes: Buffer;
}

class Content {
  seen: Buffer = Buffer.alloc(0);
  kept: Buffer = Buffer.alloc(0);
  changes: Change[] = [];

  write(bytes: Uint8Array, at: number): void {
    this.seen = put(this.seen, bytes, at);
    this.changes.push({ at, bytes: Buffer.from(bytes) });
  }

  sync(): void {
    for (const { at, bytes } of this.changes) this.kept = put(this.kept, bytes, at);
    this.changes = [];
  }

  /** Of a sync that failed, or of a crash: the rest of what was written is given up. */
  keepSome(random: Random): void {
    const until = new Map<number, number>();
    const all = this.changes.length;
    for (const [i, { at, bytes }] of this.changes.entries()) {
      for (let from = at; from < at + bytes.length; ) {
        const sector = Math.floor(from / SECTOR);
        const to = Math.min(at + bytes.length, (sector + 1) * SECTOR);
        if (!until.has(sector)) until.set(sector, randomInt(random, all + 1));
        if (i < (until.get(sector) as number)) {
          this.kept = put(this.kept, bytes.subarray(from - at, to - at), from);
        }
        from = to;
      }
    }
    this.changes = [];
  }
}

function put(file: Buffer, bytes: Uint8Array, at: number): Buffer {
  const whole = Buffer.alloc(Math.max(file.length, at + bytes.length));
  file.copy(whole);
  whole.set(bytes, at);
  return whole;
}

type Names = Map<string, Content>;

export class MemoryDisk implements Disk {
  names: Names = new Map();
  #kept: Names = new Map();
  #changes: ((names: Names) => void)[] = [];
  /** Throws to make the operation fail, or holds it. Asked before it is done. */
  before: (operation: Operation, path: string) => void | Promise<void> = () => {};
  /** Of a failing write this many bytes reach the file. */
  partOfWrite = 0;
  /** With which a failed sync keeps some of what was written, and takes the rest for written. */
  random: Random | undefined;
  operations = 0;

  /** The disk after a loss of power. */
  crashed(random: Random): MemoryDisk {
    const after = new MemoryDisk();
    const kept = new Map(this.#kept);
    const survive = randomInt(random, this.#changes.length + 1);
    for (const change of this.#changes.slice(0, survive)) change(kept);
    for (const [path, content] of kept) {
      const copy = new Content();
      copy.kept = content.kept;
      copy.changes = [...content.changes];
      if (randomBool(random, 0.2)) copy.sync();
      else copy.keepSome(random);
      copy.seen = copy.kept;
      after.names.set(path, copy);
    }
    after.#kept = new Map(after.names);
    return after;
  }

  /** As a process that is killed leaves it: all that was written is there. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk();
    for (const [path, { seen }] of this.names) copy.put(path, seen);
    return copy;
  }

  put(path: string, bytes: Buffer): void {
    const content = new Content();
    content.seen = content.kept = Buffer.from(bytes);
    this.names.set(path, content);
    this.#kept.set(path, content);
  }

  bytes(path: string): Buffer {
    return this.#get(path).seen;
  }

  /** Paths of which the name begins so, sorted. */
  paths(prefix: string): string[] {
    return [...this.names.keys()].filter((path) => path.includes(`/${prefix}`)).sort();
  }

  fail(...operations: Operation[]): void {
    this.before = (operation) => {
      if (operations.includes(operation)) throw new Error(`EIO: ${operation}`);
    };
  }

  heal(): void {
    this.before = () => {};
  }

  async makeDirectory(): Promise<void> {}

  async list(directory: string): Promise<readonly string[]> {
    return [...this.names.keys()]
      .filter((path) => dirname(path) === directory)
      .map((path) => path.slice(directory.length + 1));
  }

  async syncDirectory(path: string): Promise<void> {
    const changes = [...this.#changes];
    await this.#check("syncDirectory", path);
    for (const change of changes) change(this.#kept);
    this.#changes = this.#changes.filter((change) => !changes.includes(change));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#check("rename", to);
    const content = this.#get(from);
    this.#change((names) => {
      names.delete(from);
      names.set(to, content);
    });
  }

  async remove(path: string): Promise<void> {
    await this.#check("remove", path);
    this.#get(path);
    this.#change((names) => names.delete(path));
  }

  async create(path: string): Promise<DiskFile> {
    await this.#check("create", path);
    const content = new Content();
    this.#change((names) => names.set(path, content));
    return this.#file(path, content);
  }

  async open(path: string): Promise<DiskFile> {
    await this.#check("open", path);
    return this.#file(path, this.#get(path));
  }

  #file(path: string, content: Content): DiskFile {
    return {
      size: async () => content.seen.length,
      read: async (position, length) => {
        return Buffer.from(content.seen.subarray(position, position + length));
      },
      write: async (bytes, position) => {
        try {
          await this.#check("write", path);
        } catch (error) {
          content.write(bytes.subarray(0, this.partOfWrite), position);
          throw error;
        }
        content.write(bytes, position);
      },
      sync: async () => {
        try {
          await this.#check("sync", path);
        } catch (error) {
          if (this.random !== undefined) content.keepSome(this.random);
          throw error;
        }
        content.sync();
      },
      close: async () => {},
    };
  }

  #change(change: (names: Names) => void): void {
    change(this.names);
    this.#changes.push(change);
  }

  #get(path: string): Content {
    const content = this.names.get(path);
    if (content === undefined) throw new Error(`ENOENT: ${path}`);
    return content;
  }

  async #check(operation: Operation, path: string): Promise<void> {
    this.operations++;
    await this.before(operation, path);
  }
}
