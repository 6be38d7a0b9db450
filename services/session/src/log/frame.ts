/**
 * A frame is what one write puts on the disk: the commands that waited for it, with one checksum.
 *
 *   u32  mark: the first half of the file's salt
 *   u32  CRC-32C of the second half of the salt and of everything that follows here
 *   u32  bytes of the commands
 *   u32  number of commands
 *   u64  log index of the first command
 *   u64  how much of this file was on the disk, for certain, when this frame was written
 *   …    the commands: u32 length and bytes each
 */
import { ByteReader, ByteWriter, crc32c } from "@canopy/base";

export const FRAME_HEADER_BYTES = 32;
const CRC_FROM = 8;
const MARK_BYTES = 4;

export interface Frame {
  /** Log index of the first command. */
  readonly first: number;
  readonly count: number;
  readonly synced: number;
  /** Where the next frame starts. */
  readonly end: number;
}

/** Commands are added one by one; then the whole frame is taken. */
export class FrameWriter {
  readonly #w = new ByteWriter(64 * 1024);
  #count = 0;

  constructor() {
    this.#w.gap(FRAME_HEADER_BYTES);
  }

  /** Bytes so far. */
  get length(): number {
    return this.#w.length;
  }

  add(command: Uint8Array): void {
    this.#w.u32(command.length);
    this.#w.raw(command);
    this.#count++;
  }

  /** A view that is valid until the next frame is begun by reset(). */
  finish(salt: Buffer, first: number, synced: number): Buffer {
    const frame = this.#w.view();
    salt.copy(frame, 0, 0, MARK_BYTES);
    frame.writeUInt32BE(frame.length - FRAME_HEADER_BYTES, 8);
    frame.writeUInt32BE(this.#count, 12);
    writeU64(frame, first, 16);
    writeU64(frame, synced, 24);
    frame.writeUInt32BE(checksum(salt, frame, 0, frame.length), 4);
    return frame;
  }

  reset(): void {
    this.#w.reset();
    this.#w.gap(FRAME_HEADER_BYTES);
    this.#count = 0;
  }
}

function writeU64(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  buffer.writeUInt32BE(value >>> 0, at + 4);
}

function checksum(salt: Buffer, file: Buffer, start: number, end: number): number {
  return crc32c(file, start + CRC_FROM, end, crc32c(salt, MARK_BYTES));
}

/** The frame at this place; undefined if there is no whole and sound one. */
export function readFrame(salt: Buffer, file: Buffer, start: number): Frame | undefined {
  if (file.length - start < FRAME_HEADER_BYTES) return undefined;
  if (file.compare(salt, 0, MARK_BYTES, start, start + MARK_BYTES) !== 0) return undefined;
  const end = start + FRAME_HEADER_BYTES + file.readUInt32BE(start + 8);
  if (end > file.length) return undefined;
  if (checksum(salt, file, start, end) !== file.readUInt32BE(start + 4)) return undefined;
  const r = new ByteReader(file, start + 12, start + FRAME_HEADER_BYTES);
  return { count: r.u32(), first: r.u64(), synced: r.u64(), end };
}

/** The commands of a sound frame, as views. */
export function* commandsOf(file: Buffer, start: number, frame: Frame): Generator<Buffer> {
  const r = new ByteReader(file, start + FRAME_HEADER_BYTES, frame.end);
  for (let left = frame.count; left > 0; left--) yield r.raw(r.u32());
  r.expectEnd();
}

/** The first sound frame at or behind this place. */
export function findFrame(salt: Buffer, file: Buffer, from: number): Frame | undefined {
  const mark = salt.subarray(0, MARK_BYTES);
  for (let at = file.indexOf(mark, from); at >= 0; at = file.indexOf(mark, at + 1)) {
    const frame = readFrame(salt, file, at);
    if (frame !== undefined) return frame;
  }
  return undefined;
}
