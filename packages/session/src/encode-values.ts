/** Values that both commands and snapshots are made of, to bytes and back. */
import { type ByteReader, type ByteWriter, DecodeError } from "@canopy/base";
import type { RetainedProgress, SessionWill, Unfinished } from "./port.ts";

export function writeVector(w: ByteWriter, vector: readonly number[]): void {
  w.varint(vector.length);
  for (const value of vector) w.varint(value);
}

export function readVector(r: ByteReader): number[] {
  const vector: number[] = [];
  for (let left = readCount(r); left > 0; left--) vector.push(r.varint());
  return vector;
}

/** Every item takes at least a byte, so a damaged count can't make a reader run away. */
export function readCount(r: ByteReader): number {
  const count = r.varint();
  if (count > r.remaining) throw new DecodeError(`${count} items in ${r.remaining} bytes`);
  return count;
}

export function readList<T>(r: ByteReader, read: (r: ByteReader) => T): T[] {
  const items: T[] = [];
  for (let left = readCount(r); left > 0; left--) items.push(read(r));
  return items;
}

/** Announces a difference whose doubled value would not be exact. */
const LARGE = Number.MAX_SAFE_INTEGER;
const LARGEST_DOUBLED = 2 ** 52;

/** A difference of two safe integers; short where it is small. */
export function writeSigned(w: ByteWriter, value: number): void {
  if (Math.abs(value) < LARGEST_DOUBLED) {
    w.varint(value < 0 ? -value * 2 - 1 : value * 2);
    return;
  }
  w.varint(LARGE);
  w.bool(value < 0);
  w.varint(Math.abs(value));
}

export function readSigned(r: ByteReader): number {
  const value = r.varint();
  if (value === LARGE) return r.bool() ? -r.varint() : r.varint();
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

export function writeWill(w: ByteWriter, will: SessionWill): void {
  w.varint(will.delay);
  // 0 is absent: a Message Expiry Interval of 0 has to stay one.
  w.varint(will.expiry === undefined ? 0 : will.expiry + 1);
  w.bytes(will.record);
}

export function readWill(r: ByteReader): SessionWill {
  const delay = r.varint();
  const expiry = r.varint();
  // Copied: the record outlives the buffer it came in.
  const record = new Uint8Array(r.bytes());
  return { record, delay, expiry: expiry === 0 ? undefined : expiry - 1 };
}

const QOS_2 = 1;
const RECEIVED = 2;
const RETAINED = 4;

export function writeUnfinished(w: ByteWriter, entry: Unfinished): void {
  w.u8(
    (entry.qos === 2 ? QOS_2 : 0) |
      (entry.received ? RECEIVED : 0) |
      (entry.source === "retained" ? RETAINED : 0),
  );
  w.varint(entry.packetId);
  w.string(entry.queue);
  w.varint(entry.shard);
  w.varint(entry.offset);
}

export function readUnfinished(r: ByteReader): Unfinished {
  const flags = r.u8();
  if (flags > 7) throw new DecodeError(`unknown flags of a delivery: ${flags}`);
  return {
    packetId: r.varint(),
    qos: flags & QOS_2 ? 2 : 1,
    received: (flags & RECEIVED) !== 0,
    source: flags & RETAINED ? "retained" : "queue",
    queue: r.string(),
    shard: r.varint(),
    offset: r.varint(),
  };
}

export function writeRetained(w: ByteWriter, positions: readonly RetainedProgress[]): void {
  w.varint(positions.length);
  for (const { filter, shard, topic } of positions) {
    w.string(filter);
    w.varint(shard);
    w.string(topic);
  }
}

export function readRetained(r: ByteReader): RetainedProgress[] {
  return readList(r, () => ({ filter: r.string(), shard: r.varint(), topic: r.string() }));
}
