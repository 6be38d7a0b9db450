/** One file of the log. Only the last one is written, and only at its end. */
import { join } from "node:path";
import { LogError } from "./damage.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { commandsOf, findFrame, readFrame } from "./frame.ts";
import { decodeHeader, encodeHeader, HEADER_BYTES, type Header, newHeader } from "./header.ts";

const NAME = /^log-(\d{16})\.seg$/;

export function segmentName(first: number): string {
  return `log-${String(first).padStart(16, "0")}.seg`;
}

/** The index of a segment's first command, from its file name. */
export function segmentIndex(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** What is in a segment that was written before. */
export interface SegmentContent {
  /** Index of the first command that is not in it. */
  readonly next: number;
  /** Where the sound frames end; what follows was never acknowledged. */
  readonly end: number;
  readonly header: Header;
}

export class Segment {
  readonly path: string;
  readonly header: Header;
  readonly #file: DiskFile;
  /** Up to here there are whole frames that were acknowledged. */
  size: number;
  /** Up to here it is on the disk for certain. */
  synced: number;
  /** A write has failed and what it left is still there. */
  #torn = false;

  private constructor(path: string, header: Header, file: DiskFile, size: number) {
    this.path = path;
    this.header = header;
    this.#file = file;
    this.size = size;
    this.synced = size;
  }

  /** It has its name only when its header is on disk. */
  static async create(disk: Disk, directory: string, first: number): Promise<Segment> {
    const path = join(directory, segmentName(first));
    const header = newHeader(first);
    const file = await disk.create(`${path}.tmp`);
    try {
      await file.write(encodeHeader("CANOPYLG", header), 0);
      await file.sync();
      await disk.rename(`${path}.tmp`, path);
      await disk.syncDirectory(directory);
    } catch (error) {
      await file.close();
      // Under which of its names it is now is not known. Should it stay, a start recognises it.
      await disk.remove(`${path}.tmp`).catch(() => {});
      await disk.remove(path).catch(() => {});
      throw error;
    }
    return new Segment(path, header, file, HEADER_BYTES);
  }

  /** Opens the last segment for writing, behind its content; the rest is cut off. */
  static async reopen(disk: Disk, path: string, header: Header, end: number): Promise<Segment> {
    const file = await disk.open(path);
    try {
      if ((await file.size()) > end) await file.truncate(end);
      // What a killed process wrote may be in memory only; from here on it is acted on.
      await file.sync();
    } catch (error) {
      await file.close();
      throw error;
    }
    return new Segment(path, header, file, end);
  }

  /** After an error nothing of the frame is in the file, or will be before the next write. */
  async append(frame: Buffer, sync: boolean): Promise<void> {
    if (this.#torn) await this.repair(sync);
    this.#torn = true;
    await this.#file.write(frame, this.size);
    if (sync) await this.#file.sync();
    this.#torn = false;
    this.size += frame.length;
    if (sync) this.synced = this.size;
  }

  /** Takes away what a failed write has left; nothing to do otherwise. */
  async repair(sync: boolean): Promise<void> {
    if (!this.#torn) return;
    await this.#file.truncate(this.size);
    if (sync) await this.#file.sync();
    this.#torn = false;
  }

  async sync(): Promise<void> {
    await this.repair(true);
    if (this.synced === this.size) return;
    const size = this.size;
    await this.#file.sync();
    this.synced = size;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/**
 * Reads a segment and gives its commands to `visit`. A frame that is not sound ends the last
 * segment: a crash while it was written leaves that. It is damage, and refused, where something
 * behind it proves that it had been acknowledged.
 */
export async function readSegment(
  disk: Disk,
  path: string,
  isLast: boolean,
  visit: (command: Buffer, index: number) => void,
): Promise<SegmentContent> {
  const bytes = await readWhole(disk, path);
  const header = decodeHeader("CANOPYLG", path, bytes);
  const { salt } = header;
  let at = HEADER_BYTES;
  let next = header.index;
  while (at < bytes.length) {
    const frame = readFrame(salt, bytes, at);
    if (frame === undefined) {
      if (!isLast) throw new LogError("damaged", path, at, "bad frame, and another file follows");
      refuseLoss(salt, bytes, at, path);
      break;
    }
    if (frame.first !== next) {
      throw new LogError("damaged", path, at, `command ${frame.first} where ${next} was expected`);
    }
    try {
      for (const command of commandsOf(bytes, at, frame)) visit(command, next++);
    } catch (cause) {
      throw new LogError("damaged", path, at, "a command that can't be read", { cause });
    }
    at = frame.end;
  }
  return { header, next, end: at };
}

/**
 * Frames of one write may reach the disk in part and in any order, also behind a gap. But a later
 * frame that says that this place had been synced before it was written says that it is damaged.
 */
function refuseLoss(salt: Buffer, bytes: Buffer, at: number, path: string): void {
  for (let from = at + 1; ; ) {
    const later = findFrame(salt, bytes, from);
    if (later === undefined) return;
    if (later.synced > at) {
      throw new LogError("damaged", path, at, "bad frame, and good ones behind it");
    }
    from = later.end;
  }
}

/** Nothing was ever acknowledged in it. */
export async function isEmptySegment(disk: Disk, path: string): Promise<boolean> {
  const file = await disk.open(path);
  try {
    return (await file.size()) === HEADER_BYTES;
  } finally {
    await file.close();
  }
}

async function readWhole(disk: Disk, path: string): Promise<Buffer> {
  const file = await disk.open(path);
  try {
    return await file.read(0, await file.size());
  } finally {
    await file.close();
  }
}
