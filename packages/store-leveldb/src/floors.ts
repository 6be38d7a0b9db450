/**
 * Floors: up to where messages have left a queue. On disk they are needed where an index on disk
 * still names those messages: for sealed segments, and for the tail when a shard is closed.
 */
import { ByteReader, ByteWriter } from "@canopy/base";
import type { Offset } from "@canopy/store";
import type { Committer } from "./committer.ts";
import type { Database } from "./database.ts";
import { behind, namedKey, prefixOf } from "./keys.ts";
import { OpBatch } from "./op-batch.ts";
import type { ShardState } from "./shard-state.ts";
import { Slice } from "./slice.ts";

/** A floor, and the newest segment when it was written: it concerns no later ones. */
function encodeFloor(floor: Offset, newest: number): Buffer {
  const out = new ByteWriter(24);
  out.varint(floor);
  out.varint(newest);
  return out.take();
}

/** Writes the floors of queues that were trimmed in sealed segments; returns how many. */
export async function writeFloors(
  state: ShardState,
  committer: Committer,
  newest: number,
  patient: boolean,
): Promise<number> {
  const { dirty } = state;
  state.dirty = [];
  const slice = new Slice();
  const ops = new OpBatch(committer, patient);
  for (const queue of dirty) {
    queue.dirty = false;
    ops.put(namedKey("floor", state.shard, queue.name), encodeFloor(queue.floor, newest));
    if (ops.full) await ops.flush();
    if (slice.over) await slice.rest();
  }
  await ops.flush();
  return dirty.length;
}

/** Lists the queues that were trimmed in the tail too: for a close, which keeps trims exactly. */
export function markTailFloors(state: ShardState): void {
  for (const tail of state.tails) {
    for (const queue of tail.queues) {
      if (queue.trimmed) state.markDirty(queue);
    }
  }
}

/** Deletes the floors that concern only segments that are gone. */
export async function sweepFloors(
  state: ShardState,
  database: Database,
  committer: Committer,
): Promise<void> {
  let oldest = state.tails[0]?.id ?? Number.POSITIVE_INFINITY;
  for (const id of state.sealedById.keys()) oldest = Math.min(oldest, id);
  const prefix = prefixOf("floor", state.shard);
  const gone: Buffer[] = [];
  await database.scan(prefix, behind(prefix), (key, value) => {
    const reader = new ByteReader(value);
    reader.varint();
    if (reader.varint() < oldest) gone.push(key);
  });
  const ops = new OpBatch(committer);
  for (const key of gone) {
    ops.del(key);
    if (ops.full) await ops.flush();
  }
  await ops.flush();
}
