/**
 * Floors: up to where messages have left a queue. On disk they are needed where an index on disk
 * still names those messages: for sealed segments, and for the tail when a shard is closed. That of a
 * drop is there before it is in memory.
 */
import { ByteReader, ByteWriter } from "@canopy/base";
import type { Offset } from "@canopy/store";
import type { Committer } from "./committer.ts";
import type { Database } from "./database.ts";
import { behind, namedKey, nameIn, prefixOf } from "./keys.ts";
import { OpBatch } from "./op-batch.ts";
import type { QueueIndex } from "./queue-index.ts";
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
  let at = 0;
  try {
    while (at < dirty.length) {
      const queue = dirty[at++] as QueueIndex;
      // Not earlier: until then it is not forgotten.
      queue.dirty = false;
      ops.put(
        namedKey("floor", state.shard, queue.name),
        encodeFloor(floorOf(state, queue), newest),
      );
      // Given to the committer before any drop can begin: a drop's floor is never overwritten by a
      // lower one.
      if (slice.over) {
        await ops.flush();
        await slice.rest();
      } else if (ops.full) await ops.flush();
    }
    await ops.flush();
  } finally {
    for (; at < dirty.length; at++) state.dirty.push(dirty[at] as QueueIndex);
    for (const queue of dirty) state.forgetIfEmpty(queue);
  }
  return dirty.length;
}

/** With that of a drop that is not in memory yet. */
function floorOf({ drops }: ShardState, { name, floor }: QueueIndex): Offset {
  return Math.max(floor, drops.floor(name));
}

/** Writes the floor of a drop; `apply` is called with it when it is on disk. */
export async function writeDrop<T>(
  state: ShardState,
  committer: Committer,
  newest: number,
  drop: { readonly queue: QueueIndex; readonly upTo: Offset },
  apply: (floor: Offset) => Promise<T>,
): Promise<T> {
  const { queue, upTo } = drop;
  const floor = Math.max(Math.min(upTo, state.head), floorOf(state, queue));
  const key = namedKey("floor", state.shard, queue.name);
  state.drops.begin(queue.name, floor);
  try {
    await committer.write([{ type: "put", key, value: encodeFloor(floor, newest) }], false);
    return await apply(floor);
  } finally {
    state.drops.end(queue.name);
  }
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
  while (gone.length > 0) {
    const ops = new OpBatch(committer);
    // One that has been, or will be, written again may concern a newer segment.
    const changing = new Set([...state.dirty.map(({ name }) => name), ...state.drops.queues]);
    while (gone.length > 0 && !ops.full) {
      const key = gone.pop() as Buffer;
      if (!changing.has(nameIn(key))) ops.del(key);
    }
    await ops.flush();
  }
}
