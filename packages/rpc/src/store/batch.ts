/** Batches of messages on their way to a store process. */
import { ByteReader, ByteWriter, DecodeError } from "@canopy/base";
import type { PublishBatch, Records } from "@canopy/store";
import type { Topic, TopicTable } from "@canopy/topic";
import { topicOf } from "./record.ts";

/** The first byte of a message on Publish, to the process. */
export const TO_STORE = { batch: 1, words: 2 } as const;

/** What a message costs beside its record, in the store process. */
const OVERHEAD = 64;

/** What a batch takes of its shard's window, on both sides. */
export function costOf({ length, count }: Records): number {
  return length + count * OVERHEAD;
}

const header = new ByteWriter(4096);

/** Its records are copied, so that the batch may change from then on. */
export function encodeBatch(id: number, batch: PublishBatch): Buffer {
  const { records, receiptSessions, receiptKeys } = batch;
  const { starts, ends, count } = records;
  const hasReceipts = hasAny(receiptSessions, count);
  header.reset();
  header.u8(TO_STORE.batch);
  header.varint(id);
  header.varint(batch.shard);
  header.varint(batch.seq);
  header.varint(count);
  header.bool(hasReceipts);
  let size = 0;
  for (let i = 0; i < count; i++) {
    const length = (ends[i] as number) - (starts[i] as number);
    header.varint(length);
    size += length;
  }
  if (hasReceipts) {
    for (let i = 0; i < count; i++) {
      header.varint(receiptSessions[i] ?? 0);
      header.varint(receiptKeys[i] ?? 0);
    }
  }
  const message = Buffer.allocUnsafe(header.length + size);
  message.set(header.view());
  copyRecords(records, message, header.length);
  return message;
}

function hasAny(sessions: readonly number[], count: number): boolean {
  for (let i = 0; i < count; i++) if ((sessions[i] ?? 0) !== 0) return true;
  return false;
}

/** In as few pieces as they lie in. */
function copyRecords({ bytes, starts, ends, count }: Records, out: Buffer, at: number): void {
  for (let i = 0; i < count; ) {
    const start = starts[i] as number;
    let end = ends[i] as number;
    for (i++; i < count && (starts[i] as number) === end; i++) end = ends[i] as number;
    if (end > start) at += bytes.copy(out, at, start, end);
  }
}

/** A batch of a gateway, as it has come. */
export class ReceivedBatch implements PublishBatch {
  readonly id: number;
  readonly shard: number;
  readonly gateway: number;
  readonly seq: number;
  readonly records: Records;
  readonly receiptSessions: readonly number[];
  readonly receiptKeys: readonly number[];

  /** The records are a view of the message. @throws DecodeError. */
  constructor(message: Buffer, gateway: number, topics: TopicTable) {
    const reader = new ByteReader(message, 1);
    this.gateway = gateway;
    this.id = reader.varint();
    this.shard = reader.varint();
    this.seq = reader.varint();
    const count = reader.varint();
    const hasReceipts = reader.bool();
    // Each has a byte at least: so nobody makes long lists of short messages.
    if (count > reader.remaining) throw new DecodeError("a batch is cut off");
    const lengths = numbers(reader, count);
    const receipts = hasReceipts ? numbers(reader, 2 * count) : undefined;
    this.receiptSessions = receipts === undefined ? zeros(count) : everyOther(receipts, 0);
    this.receiptKeys = receipts === undefined ? zeros(count) : everyOther(receipts, 1);
    this.records = placed(message.subarray(reader.position), lengths, topics, this.shard);
  }
}

function numbers(reader: ByteReader, count: number): number[] {
  const list: number[] = [];
  for (let i = 0; i < count; i++) list.push(reader.varint());
  return list;
}

function everyOther(pairs: readonly number[], which: 0 | 1): number[] {
  const list: number[] = [];
  for (let i = which; i < pairs.length; i += 2) list.push(pairs[i] as number);
  return list;
}

const ZEROS: number[] = [];

/** At least so many, for all to read: most batches have no receipts. */
function zeros(count: number): readonly number[] {
  while (ZEROS.length < count) ZEROS.push(0);
  return ZEROS;
}

function placed(
  bytes: Buffer,
  lengths: readonly number[],
  topics: TopicTable,
  shard: number,
): Records {
  const starts: number[] = [];
  const ends: number[] = [];
  const found: Topic[] = [];
  let at = 0;
  for (const length of lengths) {
    const end = at + length;
    if (end > bytes.length) throw new DecodeError("a batch is cut off");
    starts.push(at);
    ends.push(end);
    found.push(length === 0 ? nothing(topics) : topicAt(bytes, at, end, topics, shard));
    at = end;
  }
  if (at !== bytes.length) throw new DecodeError("a batch is too long");
  return { bytes, length: at, count: lengths.length, starts, ends, topics: found };
}

function topicAt(
  bytes: Buffer,
  start: number,
  end: number,
  topics: TopicTable,
  shard: number,
): Topic {
  const topic = topicOf(topics, bytes, start, end);
  if (topic.shard !== shard) throw new DecodeError(`a topic of shard ${topic.shard}, not ${shard}`);
  return topic;
}

const NO_NAME: Buffer = Buffer.from("-");

/** Stands where there is no message; nobody asks for it. */
export function nothing(topics: TopicTable): Topic {
  return topics.intern(NO_NAME, 0, NO_NAME.length) as Topic;
}
