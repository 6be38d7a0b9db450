/**
 * A commit record: everything that one shard wrote in one commit, under one key. Appends whose
 * offsets follow each other share a part, so reading need not know where one append ended.
 *
 *     u32 parts, u32 bytes of meta,
 *     per part: f64 first offset, u32 messages, u32 bytes of bodies, u32 flags, u32 0,
 *               [f64 offset per message], [f64 expiry per message],
 *               u32 end per message (in the part's bodies), padded to 8 bytes
 *     meta (see meta.ts), the bodies of all parts
 *
 * Numbers are little-endian and aligned to 8 bytes, so they are used in place by typed arrays.
 */
import type { Offset } from "@canopy/store";
import { corrupt } from "./errors.ts";

export const HEADER = 8;
export const PART_HEADER = 24;
/** The part lists its offsets: it was moved, and what lay between is gone. */
const SPARSE = 1;
const EXPIRING = 2;

/** Messages of one record with ascending offsets. */
export interface Part {
  readonly first: Offset;
  readonly count: number;
  /** Present where offsets don't follow each other. */
  readonly offsets: Float64Array | undefined;
  /** Wall clock (ms) per message, 0 = never; undefined where none expires. */
  readonly expiries: Float64Array | undefined;
  readonly ends: Uint32Array;
  /** Where its bodies begin in the record. */
  readonly start: number;
}

export interface StoredRecord {
  readonly bytes: Buffer;
  readonly parts: readonly Part[];
  readonly metaStart: number;
  readonly metaEnd: number;
}

export function flagsOf(expiring: boolean, sparse: boolean): number {
  return (expiring ? EXPIRING : 0) | (sparse ? SPARSE : 0);
}

/** Bytes of a part without its bodies; always a multiple of 8. */
export function partSize(count: number, flags: number): number {
  const doubles = ((flags & SPARSE) === 0 ? 0 : count) + ((flags & EXPIRING) === 0 ? 0 : count);
  return PART_HEADER + doubles * 8 + Math.ceil(count / 2) * 8;
}

export interface Views {
  readonly offsets: Float64Array | undefined;
  readonly expiries: Float64Array | undefined;
  readonly ends: Uint32Array;
}

export function viewsOf(bytes: Buffer, at: number, count: number, flags: number): Views {
  let position = bytes.byteOffset + at + PART_HEADER;
  const doubles = (flag: number): Float64Array | undefined => {
    if ((flags & flag) === 0) return undefined;
    const view = new Float64Array(bytes.buffer, position, count);
    position += count * 8;
    return view;
  };
  const offsets = doubles(SPARSE);
  const expiries = doubles(EXPIRING);
  return { offsets, expiries, ends: new Uint32Array(bytes.buffer, position, count) };
}

/** The record shares the memory of these bytes. Throws `corrupt`. */
export function decodeRecord(value: Buffer): StoredRecord {
  const bytes = value.byteOffset % 8 === 0 ? value : aligned(value);
  try {
    return decodeAligned(bytes);
  } catch (error) {
    throw corrupt(`a record cannot be read: ${(error as Error).message}`);
  }
}

function decodeAligned(bytes: Buffer): StoredRecord {
  const count = bytes.readUInt32LE(0);
  const metaBytes = bytes.readUInt32LE(4);
  const heads: { at: number; first: number; count: number; flags: number; bodyBytes: number }[] =
    [];
  let at = HEADER;
  for (let i = 0; i < count; i++) {
    const messages = bytes.readUInt32LE(at + 8);
    const flags = bytes.readUInt32LE(at + 16);
    const bodyBytes = bytes.readUInt32LE(at + 12);
    heads.push({ at, first: bytes.readDoubleLE(at), count: messages, flags, bodyBytes });
    at += partSize(messages, flags);
  }
  const metaStart = at;
  let start = at + metaBytes;
  const parts = heads.map((head): Part => {
    const views = viewsOf(bytes, head.at, head.count, head.flags);
    const part = { first: head.first, count: head.count, ...views, start };
    start += head.bodyBytes;
    return part;
  });
  if (start !== bytes.length) throw new Error(`${bytes.length} bytes instead of ${start}`);
  return { bytes, parts, metaStart, metaEnd: metaStart + metaBytes };
}

function aligned(value: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(value.length);
  copy.set(value);
  return copy;
}

/** The part that may hold this offset: the last one that begins at or before it. */
export function partFor(record: StoredRecord, offset: Offset): Part | undefined {
  const { parts } = record;
  let low = 0;
  let high = parts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((parts[middle] as Part).first <= offset) low = middle + 1;
    else high = middle;
  }
  return parts[low - 1];
}

/** Index of the message in the part; -1 if it isn't there. */
export function indexIn(part: Part, offset: Offset): number {
  const { offsets } = part;
  if (offsets === undefined) {
    const index = offset - part.first;
    return index < part.count ? index : -1;
  }
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((offsets[middle] as number) < offset) low = middle + 1;
    else high = middle;
  }
  return offsets[low] === offset ? low : -1;
}

/** The body shares the record's memory. */
export function bodyAt(record: StoredRecord, part: Part, index: number): Buffer {
  const begin = index === 0 ? 0 : (part.ends[index - 1] as number);
  return record.bytes.subarray(part.start + begin, part.start + (part.ends[index] as number));
}

/** The body of a message; undefined if the record doesn't hold it. */
export function bodyOf(record: StoredRecord, offset: Offset): Buffer | undefined {
  const part = partFor(record, offset);
  if (part === undefined) return undefined;
  const index = indexIn(part, offset);
  return index < 0 ? undefined : bodyAt(record, part, index);
}
