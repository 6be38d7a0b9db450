/** What a store process pushes to a gateway, as messages. */
import { ByteReader, ByteWriter, DecodeError } from "@canopy/base";
import {
  type Dispatch,
  type Missed,
  type MissedShard,
  type Offset,
  type Push,
  type Records,
  STORED_BEFORE,
} from "@canopy/store";
import type { Topic, TopicTable } from "@canopy/topic";
import { nothing } from "./batch.ts";
import { topicOf } from "./record.ts";

/** The first byte of a message on Pushes. */
export const TO_GATEWAY = { push: 1, dispatch: 2, missed: 3, attached: 4 } as const;

/** Above the messages of any batch: so nobody makes a long list of a high number. */
const MAX_INDEX: number = 1 << 20;
/** What offsets that are none are below. */
const FIRST_OFFSET: Offset = STORED_BEFORE + 1;

const header = new ByteWriter(4096);

/** Its records are copied. */
export function encodePush(push: Push): Buffer {
  const { records, indexes, offsets } = push;
  const { starts, ends } = records;
  const base = lowest(offsets);
  header.reset();
  header.u8(TO_GATEWAY.push);
  header.varint(push.number);
  header.varint(push.shard);
  header.varint(push.epoch);
  header.varint(push.gateway);
  header.varint(push.seq);
  header.varint(base);
  header.varint(indexes.length);
  let size = 0;
  let before = -1;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i] as number;
    const offset = offsets[i] as Offset;
    const length = (ends[index] as number) - (starts[index] as number);
    header.varint(index - before - 1);
    header.varint(offset < FIRST_OFFSET ? offset : offset - base + FIRST_OFFSET);
    header.varint(length);
    before = index;
    size += length;
  }
  const message = Buffer.allocUnsafe(header.length + size);
  message.set(header.view());
  copyIndexed(push, message, header.length);
  return message;
}

/** Of those that are offsets of messages; 0 if there is none. */
function lowest(offsets: readonly Offset[]): Offset {
  let found = 0;
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] as Offset;
    if (offset >= FIRST_OFFSET && (found === 0 || offset < found)) found = offset;
  }
  return found;
}

/** In as few pieces as they lie in. */
function copyIndexed({ records, indexes }: Push, out: Buffer, at: number): void {
  const { bytes, starts, ends } = records;
  for (let i = 0; i < indexes.length; ) {
    const start = starts[indexes[i] as number] as number;
    let end = ends[indexes[i] as number] as number;
    for (i++; i < indexes.length; i++) {
      const index = indexes[i] as number;
      if ((starts[index] as number) !== end) break;
      end = ends[index] as number;
    }
    at += bytes.copy(out, at, start, end);
  }
}

export function encodeDispatch(dispatch: Dispatch): Buffer {
  const { bytes, start, end } = dispatch;
  header.reset();
  header.u8(TO_GATEWAY.dispatch);
  header.varint(dispatch.number);
  header.varint(dispatch.member);
  header.varint(dispatch.shard);
  header.varint(dispatch.epoch);
  header.varint(dispatch.offset);
  const message = Buffer.allocUnsafe(header.length + end - start);
  message.set(header.view());
  bytes.copy(message, header.length, start, end);
  return message;
}

export function encodeMissed({ number, shards }: Missed): Buffer {
  header.reset();
  header.u8(TO_GATEWAY.missed);
  header.varint(number);
  header.varint(shards.length);
  for (const { shard, epoch, topics } of shards) {
    header.varint(shard);
    header.varint(epoch);
    header.bool(topics === undefined);
    if (topics === undefined) continue;
    header.varint(topics.length);
    for (const topic of topics) header.bytes(topic.bytes);
  }
  return header.take();
}

/** @param attachment - how often somebody has registered on this link. */
export function encodeAttached(attachment: number): Buffer {
  header.reset();
  header.u8(TO_GATEWAY.attached);
  header.varint(attachment);
  return header.take();
}

export function decodeAttached(message: Buffer): number {
  const reader = new ByteReader(message, 1);
  const attachment = reader.varint();
  reader.expectEnd();
  return attachment;
}

/** The records are a view of the message, at the indexes that they have in their batch. */
export function decodePush(message: Buffer, topics: TopicTable): Push {
  const reader = new ByteReader(message, 1);
  const number = reader.varint();
  const shard = reader.varint();
  const epoch = reader.varint();
  const gateway = reader.varint();
  const seq = reader.varint();
  const base = reader.varint();
  const count = reader.varint();
  if (count > reader.remaining) throw new DecodeError("a push is cut off");
  const indexes: number[] = [];
  const offsets: Offset[] = [];
  const lengths: number[] = [];
  let index = -1;
  for (let i = 0; i < count; i++) {
    index += reader.varint() + 1;
    const offset = reader.varint();
    indexes.push(index);
    offsets.push(offset < FIRST_OFFSET ? offset : base + (offset - FIRST_OFFSET));
    lengths.push(reader.varint());
  }
  if (index > MAX_INDEX) throw new DecodeError(`message ${index} of a batch`);
  const records = placed(message.subarray(reader.position), indexes, lengths, topics);
  return { number, shard, epoch, gateway, seq, records, indexes, offsets };
}

function placed(
  bytes: Buffer,
  indexes: readonly number[],
  lengths: readonly number[],
  topics: TopicTable,
): Records {
  const starts: number[] = [];
  const ends: number[] = [];
  const found: Topic[] = [];
  let at = 0;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i] as number;
    while (starts.length < index) {
      starts.push(at);
      ends.push(at);
      found.push(nothing(topics));
    }
    const end = at + (lengths[i] as number);
    if (end > bytes.length) throw new DecodeError("a push is cut off");
    starts.push(at);
    ends.push(end);
    found.push(topicOf(topics, bytes, at, end));
    at = end;
  }
  if (at !== bytes.length) throw new DecodeError("a push is too long");
  return { bytes, length: at, count: starts.length, starts, ends, topics: found };
}

export function decodeDispatch(message: Buffer, topics: TopicTable): Dispatch {
  const reader = new ByteReader(message, 1);
  const number = reader.varint();
  const member = reader.varint();
  const shard = reader.varint();
  const epoch = reader.varint();
  const offset = reader.varint();
  const start = reader.position;
  const end = message.length;
  const topic = topicOf(topics, message, start, end);
  return { number, member, shard, epoch, offset, bytes: message, start, end, topic };
}

export function decodeMissed(message: Buffer, topics: TopicTable): Missed {
  const reader = new ByteReader(message, 1);
  const number = reader.varint();
  const shards: MissedShard[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const shard = reader.varint();
    const epoch = reader.varint();
    shards.push({ shard, epoch, topics: reader.bool() ? undefined : readTopics(reader, topics) });
  }
  reader.expectEnd();
  return { number, shards };
}

function readTopics(reader: ByteReader, topics: TopicTable): Topic[] {
  const found: Topic[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const name = reader.bytes();
    const topic = topics.intern(name, 0, name.length);
    if (topic === undefined) throw new DecodeError("not a topic");
    found.push(topic);
  }
  return found;
}
