/** Segments: stretches of a shard's records that are sealed, rewritten and dropped as a whole. */
import { ByteReader, ByteWriter } from "@canopy/base";
import type { Offset } from "@canopy/store";
import type { QueueIndex } from "./queue-index.ts";

/** Records per segment at most, so that (segment, record) fits a number; see record-cache.ts. */
export const MAX_RECORDS: number = 2 ** 20;

/**
 * What a descriptor on disk says:
 * open: records are being added, or it waits to be sealed; writing: it is being made from others
 * and counts for nothing yet; sealed; dropped: its keys are being deleted.
 */
export type SegmentState = "open" | "writing" | "sealed" | "dropped";

const STATES: readonly SegmentState[] = ["open", "writing", "sealed", "dropped"];

export interface Descriptor {
  readonly state: SegmentState;
  readonly shard: number;
  /** Open: the open segment before this one, and how many records it got; 0 if there is none. */
  readonly previous: number;
  readonly previousRecords: number;
  /** Sealed: */
  readonly records: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly first: Offset;
  readonly last: Offset;
}

export function encodeDescriptor(
  fields: Partial<Descriptor> & { shard: number; state: SegmentState },
): Buffer {
  const out = new ByteWriter(64);
  out.u8(STATES.indexOf(fields.state));
  out.varint(fields.shard);
  out.varint(fields.previous ?? 0);
  out.varint(fields.previousRecords ?? 0);
  out.varint(fields.records ?? 0);
  out.varint(fields.chunks ?? 0);
  out.varint(fields.bytes ?? 0);
  out.varint(fields.first ?? 0);
  out.varint(fields.last ?? 0);
  return out.take();
}

export function decodeDescriptor(value: Buffer): Descriptor {
  const reader = new ByteReader(value);
  const state = STATES[reader.u8()] ?? "dropped";
  return {
    state,
    shard: reader.varint(),
    previous: reader.varint(),
    previousRecords: reader.varint(),
    records: reader.varint(),
    chunks: reader.varint(),
    bytes: reader.varint(),
    first: reader.varint(),
    last: reader.varint(),
  };
}

/** A segment whose index is in memory. */
export class TailSegment {
  readonly id: number;
  /** Per record: offset of its first message; without one, what the next must be above. Ascending. */
  readonly starts: number[] = [];
  bytes: number = 0;
  /** Ends of what is in it; 0 without messages. */
  first: Offset = 0;
  last: Offset = 0;
  /** What it changed: looked at once, when it is sealed. */
  readonly queues: QueueIndex[] = [];
  readonly topics: Set<string> = new Set();
  readonly receiptSessions: Set<number> = new Set();
  readonly senders: Set<string> = new Set();
  readonly progress: Set<string> = new Set();
  /** Queues whose progress was removed with them, which no record says yet. */
  readonly removed: Set<string> = new Set();

  constructor(id: number) {
    this.id = id;
  }

  get records(): number {
    return this.starts.length;
  }

  /** Number of the record that holds this offset, if the segment does. */
  recordOf(offset: Offset): number {
    const { starts } = this;
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** A segment whose index is on disk. */
export class SealedSegment {
  readonly id: number;
  readonly records: number;
  readonly chunks: number;
  /** Of its records and chunks. */
  readonly bytes: number;
  readonly first: Offset;
  readonly last: Offset;
  /** Messages and bytes still in queues; one in two queues counts twice. */
  liveMessages: number = 0;
  liveBytes: number = 0;
  /** When it was first seen to be mostly unneeded, by the monotonic clock; 0 = it was not. */
  sparseSince: number = 0;

  constructor(
    id: number,
    fields: Pick<Descriptor, "records" | "chunks" | "bytes" | "first" | "last">,
  ) {
    this.id = id;
    this.records = fields.records;
    this.chunks = fields.chunks;
    this.bytes = fields.bytes;
    this.first = fields.first;
    this.last = fields.last;
  }
}
