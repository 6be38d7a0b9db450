/** One file of the log. Only the last one is written, and only at its end. */
import { join } from "node:path";
import type { Random } from "@canopy/base";
import type { Disk, DiskFile } from "./disk.ts";
import { encodeHeader, HEADER_BYTES, newSalt, type SegmentHeader } from "./header.ts";

const NAME = /^wal-(\d{16})\.seg$/;
const SPARE = /^spare-\d{16}\.seg$/;

export function segmentName(number: number): string {
  return `wal-${String(number).padStart(16, "0")}.seg`;
}

/** A segment's number, from its file name. */
export function segmentNumber(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export function isSpare(name: string): boolean {
  return SPARE.test(name);
}

export class Segment {
  readonly number: number;
  readonly path: string;
  readonly salt: Buffer;
  readonly #file: DiskFile;
  /** Where the next frame goes: up to here there are whole frames. */
  size: number = HEADER_BYTES;
  /** Up to here it is on the disk for certain. */
  synced: number = HEADER_BYTES;
  /** Writes or syncs that failed since the last that did not. */
  failures = 0;

  private constructor(path: string, { number, salt }: SegmentHeader, file: DiskFile) {
    this.path = path;
    this.number = number;
    this.salt = salt;
    this.#file = file;
  }

  /**
   * Begins a life of the file `aside`, which is there already if it is used again. It gets a
   * segment's name only when its header is on the disk.
   */
  static async begin(
    disk: Disk,
    directory: string,
    number: number,
    random: Random,
    aside: { readonly path: string; readonly exists: boolean },
  ): Promise<Segment> {
    const path = join(directory, segmentName(number));
    const header = { number, salt: newSalt(random) };
    const file = await (aside.exists ? disk.open(aside.path) : disk.create(aside.path));
    try {
      await file.write(encodeHeader(header), 0);
      await file.sync();
      await disk.rename(aside.path, path);
      await disk.syncDirectory(directory);
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
    return new Segment(path, header, file);
  }

  get isFresh(): boolean {
    return this.size === HEADER_BYTES;
  }

  /**
   * After an error any part of the bytes may be in the file, and nothing of them is trusted: the
   * next append begins at the same place, with all of them again.
   */
  async append(bytes: Uint8Array, sync: boolean): Promise<void> {
    try {
      await this.#file.write(bytes, this.size);
      if (sync) await this.#file.sync();
    } catch (error) {
      this.failures++;
      throw error;
    }
    this.failures = 0;
    this.size += bytes.length;
    if (sync) this.synced = this.size;
  }

  async sync(): Promise<void> {
    if (this.synced === this.size) return;
    const { size } = this;
    await this.#file.sync();
    this.synced = size;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
