import { RecordView } from "@canopy/codec";
import { shardOf } from "@canopy/topic";

const view = new RecordView();

/** The shard of a will's topic. Throws for bytes that are no record. */
export function shardOfWill(record: Uint8Array, shards: number): number {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  const { topicStart, topicEnd } = view.set(bytes, 0, bytes.length);
  return shardOf(bytes.subarray(topicStart + 2, topicEnd), shards);
}
