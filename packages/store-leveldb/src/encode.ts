/** Writing of commit records; see record.ts for their format. */
import type { Append, Offset } from "@canopy/store";
import { MetaWriter } from "./meta.ts";
import {
  decodeRecord,
  flagsOf,
  HEADER,
  partSize,
  type StoredRecord,
  type Views,
  viewsOf,
} from "./record.ts";

/** A message moved to another segment. */
export interface MovedMessage {
  readonly offset: Offset;
  readonly body: Uint8Array;
  readonly expiry: number;
}

interface Layout {
  first: Offset;
  count: number;
  bodyBytes: number;
  expiring: boolean;
  readonly appends: Append[];
}

const meta = new MetaWriter();

export function encodeRecord(appends: readonly Append[]): StoredRecord {
  const layouts: Layout[] = [];
  meta.reset();
  for (const append of appends) addToLayout(layouts, append);
  const metaBytes = meta.view();
  let size = HEADER + metaBytes.length;
  for (const layout of layouts) {
    size += partSize(layout.count, flagsOf(layout.expiring, false)) + layout.bodyBytes;
  }
  const bytes = header(size, layouts.length, metaBytes.length);
  let at = HEADER;
  for (const layout of layouts) {
    const flags = flagsOf(layout.expiring, false);
    partHeader(bytes, at, layout.first, layout.count, layout.bodyBytes, flags);
    fillContiguous(viewsOf(bytes, at, layout.count, flags), layout.appends);
    at += partSize(layout.count, flags);
  }
  bytes.set(metaBytes, at);
  at += metaBytes.length;
  for (const layout of layouts) {
    for (const { bodies, ends } of layout.appends) {
      const length = ends.at(-1) ?? 0;
      bytes.set(length === bodies.length ? bodies : bodies.subarray(0, length), at);
      at += length;
    }
  }
  return decodeRecord(bytes);
}

function addToLayout(layouts: Layout[], append: Append): void {
  const count = append.ends.length;
  const last = layouts.at(-1);
  if (count === 0) {
    meta.add(append, 0, 0);
    return;
  }
  const expiring = append.expiries.some((expiry) => expiry > 0);
  const bodyBytes = append.ends[count - 1] as number;
  if (last !== undefined && last.first + last.count === append.first) {
    meta.add(append, layouts.length, last.count);
    last.count += count;
    last.bodyBytes += bodyBytes;
    last.expiring ||= expiring;
    last.appends.push(append);
  } else {
    layouts.push({ first: append.first, count, bodyBytes, expiring, appends: [append] });
    meta.add(append, layouts.length, 0);
  }
}

function fillContiguous(views: Views, appends: readonly Append[]): void {
  let index = 0;
  let base = 0;
  for (const { ends, expiries } of appends) {
    for (let i = 0; i < ends.length; i++, index++) {
      views.ends[index] = base + (ends[i] as number);
      if (views.expiries !== undefined) views.expiries[index] = expiries[i] as number;
    }
    base += ends.at(-1) ?? 0;
  }
}

/** A record of messages that were moved; ascending by offset, at least one. */
export function encodeMoved(messages: readonly MovedMessage[]): StoredRecord {
  const expiring = messages.some(({ expiry }) => expiry > 0);
  const flags = flagsOf(expiring, true);
  const bodyBytes = messages.reduce((sum, { body }) => sum + body.length, 0);
  const count = messages.length;
  const bytes = header(HEADER + partSize(count, flags) + bodyBytes, 1, 0);
  partHeader(bytes, HEADER, messages[0]?.offset ?? 0, count, bodyBytes, flags);
  const views = viewsOf(bytes, HEADER, count, flags);
  const start = HEADER + partSize(count, flags);
  let end = 0;
  messages.forEach(({ offset, body, expiry }, index) => {
    bytes.set(body, start + end);
    end += body.length;
    views.ends[index] = end;
    if (views.offsets !== undefined) views.offsets[index] = offset;
    if (views.expiries !== undefined) views.expiries[index] = expiry;
  });
  return decodeRecord(bytes);
}

function header(size: number, parts: number, metaBytes: number): Buffer {
  // Not from the pool: the record lives in the cache and its parts must be aligned.
  const bytes = Buffer.allocUnsafeSlow(size);
  bytes.writeUInt32LE(parts, 0);
  bytes.writeUInt32LE(metaBytes, 4);
  return bytes;
}

function partHeader(
  bytes: Buffer,
  at: number,
  first: Offset,
  count: number,
  bodyBytes: number,
  flags: number,
): void {
  bytes.writeDoubleLE(first, at);
  bytes.writeUInt32LE(count, at + 8);
  bytes.writeUInt32LE(bodyBytes, at + 12);
  bytes.writeUInt32LE(flags, at + 16);
  bytes.writeUInt32LE(0, at + 20);
}
