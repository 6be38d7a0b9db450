/** A disk that keeps what was synced, forgets what it likes of the rest, and fails when told to. */
import { dirname } from "node:path/posix";
import type { Disk, DiskFile } from "../../src/storage/disk.ts";
import type { Dice } from "../dice.ts";
import type { Life } from "../life.ts";
import { Names } from "./directory.ts";
import { Inode } from "./inode.ts";

/** Set by the schedule of faults. */
export interface DiskTrouble {
  /** Probabilities per operation. */
  writeError: number;
  syncError: number;
  /** Bytes that all files may have together. */
  capacity: number;
  /** Factor on every delay. */
  slowness: number;
  /** No sync ends before this time. */
  stalledUntil: number;
}

export interface DiskSpeed {
  /** Mean ms of a read, a write, a change of names. */
  readonly operation: number;
  sync: number;
  readonly sector: number;
}

/** Told of each operation, at its beginning and before its end: a place to crash. */
export type OnOperation = (what: string) => void;

export class SimDisk {
  #names = new Names();
  readonly #dice: Dice;
  readonly speed: DiskSpeed;
  readonly now: () => number;
  onOperation: OnOperation = () => undefined;
  /** Errors that were injected, so that one who sees an error knows whether to believe it. */
  injected = 0;
  readonly trouble: DiskTrouble = {
    writeError: 0,
    syncError: 0,
    capacity: Number.POSITIVE_INFINITY,
    slowness: 1,
    stalledUntil: 0,
  };

  constructor(dice: Dice, speed: DiskSpeed, now: () => number) {
    this.#dice = dice;
    this.speed = speed;
    this.now = now;
  }

  get used(): number {
    return this.#names.used();
  }

  crash(): void {
    this.#names.crash(this.#dice, this.speed.sector);
  }

  /** A new disk as a crash now, which loses everything unsynced, would leave this one. */
  platter(): SimDisk {
    const copy = new SimDisk(this.#dice.split("platter"), this.speed, this.now);
    copy.#names = this.#names.platter();
    return copy;
  }

  /** The disk as one process sees it; after the end of that process nothing happens any more. */
  attach(life: Pick<Life, "alive" | "later">): Disk {
    const operate = <T>(what: string, act: () => T): Promise<T> =>
      this.#operate(life, what, this.speed.operation, act);
    const names = this.#names;
    const dice = this.#dice;
    const find = (path: string): Inode => names.get(path) ?? fail("ENOENT", `no such file ${path}`);
    const file = (inode: Inode, path: string): DiskFile => this.#file(life, inode, path);
    return {
      makeDirectory: (path) =>
        operate(`mkdir ${path}`, () => {
          for (let at = path; at !== "/" && at !== "."; at = dirname(at)) names.directories.add(at);
        }),
      list: (directory) =>
        operate(`list ${directory}`, () => {
          if (!names.directories.has(directory)) fail("ENOENT", `no such directory ${directory}`);
          const found = names.in(directory);
          for (let i = found.length - 1; i > 0; i--) {
            const j = dice.between(0, i);
            [found[i], found[j]] = [found[j] as string, found[i] as string];
          }
          return found;
        }),
      syncDirectory: (path) => this.#syncDirectory(life, path),
      rename: (from, to) =>
        operate(`rename ${from} ${to}`, () => names.rename(from, to, find(from))),
      remove: (path) => operate(`remove ${path}`, () => names.remove(path, find(path))),
      create: (path) =>
        operate(`create ${path}`, () => {
          if (!names.directories.has(dirname(path))) fail("ENOENT", `no directory for ${path}`);
          this.#spoil("create");
          if (this.used >= this.trouble.capacity) {
            this.injected++;
            fail("ENOSPC", `no space left on device, create ${path}`);
          }
          const there = names.get(path);
          const inode = there ?? new Inode();
          if (there === undefined) names.create(path, inode);
          else inode.truncate(0);
          return file(inode, path);
        }),
      open: (path) => operate(`open ${path}`, () => file(find(path), path)),
    };
  }

  #file(life: Pick<Life, "alive" | "later">, inode: Inode, path: string): DiskFile {
    const { operation } = this.speed;
    return {
      size: () => this.#operate(life, `size ${path}`, operation, () => inode.size),
      read: (position, length) =>
        this.#operate(life, `read ${path}`, operation, () => inode.read(position, length)),
      write: (bytes, position) =>
        this.#operate(life, `write ${path} ${position}+${bytes.length}`, operation, () =>
          this.#write(inode, bytes, position),
        ),
      sync: () => this.#sync(life, inode, path),
      close: () => this.#operate(life, `close ${path}`, operation, () => undefined),
    };
  }

  /** The effect comes at once, the answer later: a crash between finds it done, half done or undone. */
  #operate<T>(
    life: Pick<Life, "alive" | "later">,
    what: string,
    mean: number,
    act: () => T,
  ): Promise<T> {
    if (!life.alive) return new Promise(() => undefined);
    this.onOperation(what);
    if (!life.alive) return new Promise(() => undefined);
    return this.#answer(life, what, mean * this.#dice.exponential(1), act);
  }

  #answer<T>(
    life: Pick<Life, "alive" | "later">,
    what: string,
    ms: number,
    act: () => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let outcome: () => void;
      try {
        const value = act();
        outcome = () => resolve(value);
      } catch (error) {
        outcome = () => reject(error as Error);
      }
      life.later(ms * this.trouble.slowness, what, () => {
        this.onOperation(what);
        if (life.alive) outcome();
      });
    });
  }

  #write(inode: Inode, bytes: Uint8Array, position: number): void {
    const grown = position + bytes.length - inode.size;
    const room = this.trouble.capacity - this.used;
    if (grown > 0 && grown > room) {
      const part = Math.max(0, bytes.length - grown + Math.max(0, room));
      if (part > 0) inode.write(bytes.subarray(0, part), position);
      this.injected++;
      fail("ENOSPC", "no space left on device, write");
    }
    if (this.#dice.chance(this.trouble.writeError)) {
      const part = this.#dice.between(0, bytes.length);
      if (part > 0) inode.write(bytes.subarray(0, part), position);
      this.injected++;
      fail("EIO", "i/o error, write");
    }
    inode.write(bytes, position);
  }

  #sync(life: Pick<Life, "alive" | "later">, inode: Inode, path: string): Promise<void> {
    if (!life.alive) return new Promise(() => undefined);
    this.onOperation(`sync ${path}`);
    if (!life.alive) return new Promise(() => undefined);
    const upTo = inode.newest;
    return this.#after(life, `sync ${path}`, () => {
      if (this.#dice.chance(this.trouble.syncError)) {
        inode.failSync(upTo, this.#dice, this.speed.sector);
        this.injected++;
        fail("EIO", "i/o error, fdatasync");
      }
      inode.sync(upTo);
    });
  }

  #syncDirectory(life: Pick<Life, "alive" | "later">, path: string): Promise<void> {
    if (!life.alive) return new Promise(() => undefined);
    this.onOperation(`sync ${path}`);
    if (!life.alive) return new Promise(() => undefined);
    const changes = this.#names.pending(path);
    return this.#after(life, `sync ${path}`, () => {
      this.#spoil("fsync");
      this.#names.sync(changes);
    });
  }

  /** For syncs: the effect comes with the answer. */
  #after(life: Pick<Life, "alive" | "later">, what: string, act: () => void): Promise<void> {
    const ms = this.speed.sync * (0.5 + this.#dice.exponential(0.5)) * this.trouble.slowness;
    const stalled = Math.max(0, this.trouble.stalledUntil - this.now());
    return new Promise((resolve, reject) => {
      life.later(ms + stalled, what, () => {
        // A crash at the very end of a sync: everything is there, and nobody was told.
        const late = this.#dice.chance(0.5);
        if (!late) this.onOperation(what);
        if (!life.alive) return;
        try {
          act();
        } catch (error) {
          reject(error as Error);
          return;
        }
        if (late) this.onOperation(what);
        if (life.alive) resolve();
      });
    });
  }

  #spoil(what: string): void {
    if (!this.#dice.chance(this.trouble.writeError)) return;
    this.injected++;
    fail("EIO", `i/o error, ${what}`);
  }
}

function fail(code: string, message: string): never {
  throw Object.assign(new Error(`${code}: ${message}`), { code });
}
