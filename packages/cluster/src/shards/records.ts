import type { PublishBatch, Records } from "@canopy/store";

/** What is read of a record without parsing it (codec's record.ts has the layout). */
const FLAGS = 1;
const QOS_BITS = 3;

export function qosOf(bytes: Uint8Array, start: number): number {
  return (bytes[start + FLAGS] as number) & QOS_BITS;
}

export function isTakenOut(records: Records, index: number): boolean {
  return records.starts[index] === records.ends[index];
}

/** The same records, of which only those that `has` names are in it. */
export function only(records: Records, has: (index: number) => boolean): Records {
  const { bytes, length, count, topics } = records;
  const starts: number[] = [];
  const ends: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = records.starts[i] as number;
    starts.push(start);
    ends.push(has(i) ? (records.ends[i] as number) : start);
  }
  return { bytes, length, count, starts, ends, topics };
}

export const NO_RECORDS: Records = {
  bytes: Buffer.alloc(0),
  length: 0,
  count: 0,
  starts: [],
  ends: [],
  topics: [],
};

/** Of QoS 2, from a durable session: a receipt is stored with it. */
export function isReceipted(batch: PublishBatch, index: number): boolean {
  return batch.receiptSessions[index] !== 0;
}
