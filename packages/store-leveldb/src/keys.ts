/**
 * Keys of the database: one letter for the kind, numbers big-endian, then a name in UTF-8 where
 * there is one. What the values hold is in docs/store-leveldb.md.
 */

/** The version of the format; must stay readable by every version of this package. */
export const VERSION_KEY: Buffer = Buffer.from("canopy-store");

/** Never there; deleting it shows whether LevelDB still writes. */
export const PROBE_KEY: Buffer = Buffer.from("canopy-probe");

const KINDS = {
  /** Per shard: epoch and head. */
  epoch: "e",
  /** Per segment: its descriptor. */
  segment: "s",
  /** Per segment and number: a commit record. */
  record: "r",
  /** Per sealed segment and number: runs of many queues. */
  chunk: "i",
  /** Per shard and queue: everything up to here has left it. */
  floor: "f",
  /** Per shard and topic: offset of the retained value … */
  retained: "t",
  /** … and its body, apart, so that opening reads only the small ones. */
  retainedBody: "b",
  /** Per shard and session: keys of its receipts. */
  receipts: "c",
  /** Per shard and sender: term and seq. */
  sender: "n",
  /** Per shard and queue: progress of a shared subscription. */
  progress: "g",
} as const;

export type NamedKind = "floor" | "retained" | "retainedBody" | "sender" | "progress";

const PREFIX = 5;
const PAIR = 9;

/** Key of something that a shard or segment has once. */
export function keyOf(kind: "epoch" | "segment", id: number): Buffer {
  return prefixOf(kind, id);
}

/** What all keys of this kind and shard (or segment) begin with. */
export function prefixOf(kind: keyof typeof KINDS, id: number): Buffer {
  const key = Buffer.allocUnsafe(PREFIX);
  key.write(KINDS[kind], 0, "latin1");
  key.writeUInt32BE(id, 1);
  return key;
}

/** What all keys of this kind begin with. */
export function kindPrefix(kind: keyof typeof KINDS): Buffer {
  return Buffer.from(KINDS[kind]);
}

export function pairKey(kind: "record" | "chunk", segment: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(PAIR);
  key.write(KINDS[kind], 0, "latin1");
  key.writeUInt32BE(segment, 1);
  key.writeUInt32BE(number, 5);
  return key;
}

export function namedKey(kind: NamedKind, shard: number, name: string): Buffer {
  const size = Buffer.byteLength(name);
  const key = Buffer.allocUnsafe(PREFIX + size);
  key.write(KINDS[kind], 0, "latin1");
  key.writeUInt32BE(shard, 1);
  key.write(name, PREFIX, size, "utf8");
  return key;
}

/** The name in a key made by {@link namedKey}. */
export function nameIn(key: Buffer): string {
  return key.toString("utf8", PREFIX);
}

export function receiptsKey(shard: number, session: number): Buffer {
  const key = Buffer.allocUnsafe(PREFIX + 8);
  key.write(KINDS.receipts, 0, "latin1");
  key.writeUInt32BE(shard, 1);
  key.writeBigUInt64BE(BigInt(session), PREFIX);
  return key;
}

export function sessionIn(key: Buffer): number {
  return Number(key.readBigUInt64BE(PREFIX));
}

/** The shard or segment in a key of {@link keyOf}. */
export function idIn(key: Buffer): number {
  return key.readUInt32BE(1);
}

/** The first key behind all keys that begin like this. */
export function behind(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let i = end.length - 1; i >= 0; i--) {
    const byte = end[i] as number;
    if (byte < 0xff) {
      end[i] = byte + 1;
      return end.subarray(0, i + 1);
    }
  }
  return Buffer.alloc(PAIR + 1, 0xff);
}
