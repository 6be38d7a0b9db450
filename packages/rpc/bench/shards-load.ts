/** What both processes of shards.ts know. */
import { encodeRecord } from "@canopy/codec";
import type { PublishBatch } from "@canopy/store";
import { type Topic, TopicTable } from "@canopy/topic";

export const STORE = 1;
export const GATEWAY = 2;
export const SHARDS = 16;
/** Bytes of a message. */
const PAYLOAD = 64;
/** Topics of a shard. */
const TOPICS = 50;

export const topics: TopicTable = new TopicTable(SHARDS);

function topicsOf(shard: number, table: TopicTable): Topic[] {
  const found: Topic[] = [];
  for (let i = 0; found.length < TOPICS; i++) {
    const topic = table.internString(`device/${i}/state`) as Topic;
    if (topic.shard === shard) found.push(topic);
  }
  return found;
}

export function batchOf(size: number, shard: number, table: TopicTable): PublishBatch {
  const names = topicsOf(shard, table);
  const used = Array.from({ length: size }, (_, i) => names[i % TOPICS] as Topic);
  const bodies = used.map((topic) =>
    encodeRecord({
      topic,
      payload: Buffer.alloc(PAYLOAD, "x"),
      qos: 1,
      retain: false,
      clientId: Buffer.from("publisher-1"),
      acceptedAt: 1_764_000_000_000,
    }),
  );
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  for (const { length } of bodies) {
    starts.push(at);
    ends.push((at += length));
  }
  const bytes = Buffer.concat(bodies);
  const zeros = used.map(() => 0);
  const records = { bytes, length: at, count: size, starts, ends, topics: used };
  return { shard, gateway: GATEWAY, seq: 1, records, receiptSessions: zeros, receiptKeys: zeros };
}
