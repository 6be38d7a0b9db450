/** A file's bytes twice: as the process sees them, and as they are on the platter. */
import type { Dice } from "../dice.ts";

/** What happened to the file since it was synced last; `bytes` undefined: its size became `at`. */
interface Change {
  readonly at: number;
  readonly bytes: Buffer | undefined;
}

export class Inode {
  #seen = Buffer.alloc(0);
  #kept = Buffer.alloc(0);
  size = 0;
  #keptSize = 0;
  #changes: Change[] = [];
  /** How many changes ever reached the platter or were given up. */
  #settled = 0;

  /** The number of the newest change: what a sync that begins now will cover. */
  get newest(): number {
    return this.#settled + this.#changes.length;
  }

  get dirty(): boolean {
    return this.#changes.length > 0;
  }

  read(position: number, length: number): Buffer {
    const end = Math.min(this.size, position + length);
    return Buffer.from(this.#seen.subarray(Math.min(position, end), end));
  }

  write(bytes: Uint8Array, position: number): void {
    const copy = Buffer.from(bytes);
    this.#changes.push({ at: position, bytes: copy });
    this.#seen = roomFor(this.#seen, position + copy.length);
    copy.copy(this.#seen, position);
    this.size = Math.max(this.size, position + copy.length);
  }

  truncate(size: number): void {
    this.#changes.push({ at: size, bytes: undefined });
    this.#seen = roomFor(this.#seen, size);
    if (size < this.size) this.#seen.fill(0, size, this.size);
    this.size = size;
  }

  /** All changes up to that number are on the platter. */
  sync(upTo: number): void {
    const count = Math.max(0, Math.min(upTo - this.#settled, this.#changes.length));
    for (let i = 0; i < count; i++) this.#keep(this.#changes[i] as Change);
    this.#drop(count);
  }

  /**
   * A sync that failed: of its changes any sector may have reached the platter. The operating system
   * takes the others for written, so no later sync brings them there.
   */
  failSync(upTo: number, dice: Dice, sector: number): void {
    const count = Math.max(0, Math.min(upTo - this.#settled, this.#changes.length));
    this.#keepSome(this.#changes.slice(0, count), dice, sector);
    this.#drop(count);
  }

  /** Power is lost: each sector that was not synced has one of the contents that it had since. */
  crash(dice: Dice, sector: number): void {
    const whim = dice.next();
    if (whim < 0.25) {
      for (const change of this.#changes) this.#keep(change);
    } else if (whim < 0.85) {
      this.#keepSome(this.#changes, dice, sector);
    }
    this.#drop(this.#changes.length);
    this.#seen = Buffer.from(this.#kept);
    this.size = this.#keptSize;
  }

  /** As a crash that loses everything unsynced would leave it. */
  platter(): Inode {
    const copy = new Inode();
    copy.#kept = Buffer.from(this.#kept);
    copy.#keptSize = this.#keptSize;
    copy.#seen = Buffer.from(this.#kept);
    copy.size = this.#keptSize;
    return copy;
  }

  #drop(count: number): void {
    this.#changes.splice(0, count);
    this.#settled += count;
  }

  #keep(change: Change): void {
    const end = change.at + (change.bytes?.length ?? 0);
    this.#kept = roomFor(this.#kept, end);
    if (change.bytes === undefined) {
      if (end < this.#keptSize) this.#kept.fill(0, end, this.#keptSize);
      this.#keptSize = end;
    } else {
      change.bytes.copy(this.#kept, change.at);
      this.#keptSize = Math.max(this.#keptSize, end);
    }
  }

  #keepSome(changes: readonly Change[], dice: Dice, sector: number): void {
    const all = changes.length;
    const until = (): number => {
      const whim = dice.next();
      return whim < 0.4 ? all : whim < 0.8 ? 0 : dice.between(0, all);
    };
    const sizeUntil = until();
    const sectorUntil = new Map<number, number>();
    for (let i = 0; i < all; i++) {
      const { at, bytes } = changes[i] as Change;
      if (bytes === undefined) {
        if (i < sizeUntil) this.#keep(changes[i] as Change);
        continue;
      }
      this.#kept = roomFor(this.#kept, at + bytes.length);
      for (let from = at; from < at + bytes.length; ) {
        const number = Math.floor(from / sector);
        const to = Math.min(at + bytes.length, (number + 1) * sector);
        let cut = sectorUntil.get(number);
        if (cut === undefined) sectorUntil.set(number, (cut = until()));
        if (i < cut) bytes.copy(this.#kept, from, from - at, to - at);
        from = to;
      }
      if (i < sizeUntil) this.#keptSize = Math.max(this.#keptSize, at + bytes.length);
    }
    this.#kept.fill(0, this.#keptSize);
  }
}

function roomFor(buffer: Buffer<ArrayBuffer>, size: number): Buffer<ArrayBuffer> {
  if (size <= buffer.length) return buffer;
  const grown = Buffer.alloc(Math.max(size, buffer.length * 2, 1024));
  buffer.copy(grown);
  return grown;
}
