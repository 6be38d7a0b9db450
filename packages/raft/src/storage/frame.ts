/**
 * A frame is what one write puts on the disk: the records that waited for it, with one checksum.
 *
 *   u32  mark: the first half of the segment's salt
 *   u32  CRC-32C of the second half of the salt and of everything that follows here
 *   u32  bytes of the records
 *   u32  in the first frame of a segment: how many numbers back the segment before it is; else 0
 *   u64  number of the frame, growing by one through all segments
 *   u64  how much of this file was on the disk, for certain, when this frame was written
 *   u64  in the first frame of a segment: where the content of the one before it ends; else 0
 *   …    the records (records.ts)
 */
import { ByteReader, type ByteWriter, crc32c } from "@canopy/base";

export const FRAME_HEADER_BYTES = 40;
const CRC_FROM = 8;
const MARK_BYTES = 4;

export interface FrameHeader {
  readonly number: number;
  readonly synced: number;
  readonly back: number;
  readonly previousEnd: number;
}

export interface Frame extends FrameHeader {
  readonly start: number;
  /** Where the next frame starts. */
  readonly end: number;
}

/** Fills in the header, for which the writer began with a gap. Returns a view of the whole. */
export function sealFrame(writer: ByteWriter, salt: Buffer, header: FrameHeader): Buffer {
  const frame = writer.view();
  salt.copy(frame, 0, 0, MARK_BYTES);
  frame.writeUInt32BE(frame.length - FRAME_HEADER_BYTES, 8);
  frame.writeUInt32BE(header.back, 12);
  writeU64(frame, header.number, 16);
  writeU64(frame, header.synced, 24);
  writeU64(frame, header.previousEnd, 32);
  frame.writeUInt32BE(checksum(salt, frame, 0, frame.length), 4);
  return frame;
}

function writeU64(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  buffer.writeUInt32BE(value >>> 0, at + 4);
}

function checksum(salt: Buffer, file: Buffer, start: number, end: number): number {
  return crc32c(file, start + CRC_FROM, end, crc32c(salt, MARK_BYTES));
}

/** The bytes that a frame here would have with its header; undefined if none can begin here. */
export function frameLength(salt: Buffer, file: Buffer, start: number): number | undefined {
  if (file.length - start < FRAME_HEADER_BYTES) return undefined;
  if (file.compare(salt, 0, MARK_BYTES, start, start + MARK_BYTES) !== 0) return undefined;
  return FRAME_HEADER_BYTES + file.readUInt32BE(start + 8);
}

/** The frame at this place; undefined if there is no whole and sound one. */
export function readFrame(salt: Buffer, file: Buffer, start: number): Frame | undefined {
  const length = frameLength(salt, file, start);
  if (length === undefined || length > file.length - start) return undefined;
  const end = start + length;
  if (checksum(salt, file, start, end) !== file.readUInt32BE(start + 4)) return undefined;
  const r = new ByteReader(file, start + 12, start + FRAME_HEADER_BYTES);
  const back = r.u32();
  return { start, end, back, number: r.u64(), synced: r.u64(), previousEnd: r.u64() };
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
