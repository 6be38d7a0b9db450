/** Sealing: a tail segment's index goes from memory to disk, and what must outlive it is copied out. */
import { ByteWriter } from "@canopy/base";
import type { Offset } from "@canopy/store";
import type { Committer } from "./committer.ts";
import type { Database } from "./database.ts";
import type { DiskReader } from "./disk-reader.ts";
import { corrupt } from "./errors.ts";
import { keyOf, namedKey, pairKey, receiptsKey } from "./keys.ts";
import { pushRun } from "./load.ts";
import { OpBatch } from "./op-batch.ts";
import type { QueueIndex } from "./queue-index.ts";
import { bodyOf } from "./record.ts";
import { RUN_LENGTH, RunWriter } from "./run.ts";
import { encodeDescriptor, SealedSegment, type TailSegment } from "./segments.ts";
import type { ShardState } from "./shard-state.ts";
import { Slice } from "./slice.ts";

export interface SealTools {
  readonly database: Database;
  readonly reader: DiskReader;
  readonly committer: Committer;
}

/** A queue's runs in the segment being sealed. */
interface SealedQueue {
  readonly queue: QueueIndex;
  readonly places: number[];
  /** Ends of each run. */
  readonly firsts: Offset[];
  readonly lasts: Offset[];
}

export function epochOp(
  shard: number,
  epoch: number,
  head: Offset,
): { type: "put"; key: Buffer; value: Buffer } {
  const out = new ByteWriter(16);
  out.varint(epoch);
  out.varint(head);
  return { type: "put", key: keyOf("epoch", shard), value: out.take() };
}

/**
 * Seals the oldest tail segment. Appends, reads and trims go on meanwhile: first everything is
 * written, then the descriptor makes it count, then the queues are switched over one by one. A crash
 * before the descriptor leaves an open segment and copies that the replay repeats.
 */
export async function sealOldest(
  state: ShardState,
  tools: SealTools,
): Promise<SealedSegment | undefined> {
  const tail = state.tails[0];
  if (tail === undefined) return undefined;
  const slice = new Slice();
  const ops = new OpBatch(tools.committer);
  const runs = new RunWriter();
  const queues = await writeRuns(tail, runs, ops, slice);
  await copyOut(state, tail, tools, ops, slice);
  await ops.flush();
  const fields = {
    records: tail.records,
    chunks: runs.chunk,
    bytes: tail.bytes,
    first: tail.first,
    last: tail.last,
  };
  const kind = queues.length === 0 ? "dropped" : "sealed";
  const value = encodeDescriptor({ state: kind, shard: state.shard, ...fields });
  await tools.committer.write([
    { type: "put", key: keyOf("segment", tail.id), value },
    epochOp(state.shard, state.epoch, state.head),
  ]);
  const sealed = new SealedSegment(tail.id, fields);
  if (queues.length > 0) state.addSealed(sealed);
  for (const item of queues) {
    switchOver(state, sealed, item);
    if (slice.over) await slice.rest();
  }
  state.tails.shift();
  for (const queue of tail.queues) state.forgetIfEmpty(queue);
  return sealed;
}

async function writeRuns(
  tail: TailSegment,
  runs: RunWriter,
  ops: OpBatch,
  slice: Slice,
): Promise<SealedQueue[]> {
  const queues: SealedQueue[] = [];
  const flushChunk = async () => {
    const number = runs.chunk;
    const chunk = runs.take();
    if (chunk !== undefined) ops.put(pairKey("chunk", tail.id, number), chunk);
    if (ops.full) await ops.flush();
  };
  for (const queue of tail.queues) {
    const item: SealedQueue = { queue, places: [], firsts: [], lasts: [] };
    let after = 0;
    for (;;) {
      const last = addRun(tail, queue, after, runs);
      if (last === 0) break;
      after = last;
      item.firsts.push(runs.first);
      item.places.push(runs.end(queue.name));
      item.lasts.push(last);
      if (runs.full) await flushChunk();
      if (slice.over) await slice.rest();
    }
    if (item.places.length > 0) queues.push(item);
    if (slice.over) await slice.rest();
  }
  await flushChunk();
  return queues;
}

/** Adds one run of the queue's messages behind an offset; returns its last offset, 0 without any. */
function addRun(tail: TailSegment, queue: QueueIndex, after: Offset, runs: RunWriter): Offset {
  const { entries, start, base } = queue;
  let at = queue.above(after);
  let record = 0;
  let last = 0;
  for (; at < entries.length && runs.messages < RUN_LENGTH; at += 2) {
    const offset = entries[at] as number;
    if (offset > tail.last) break;
    if (last === 0) record = tail.recordOf(offset);
    else while ((tail.starts[record + 1] ?? Number.POSITIVE_INFINITY) <= offset) record++;
    const before = at === start ? base : (entries[at - 1] as number);
    runs.add(offset, record, (entries[at + 1] as number) - before);
    last = offset;
  }
  return last;
}

/** Moves the queue's messages from the tail's index to runs, without those trimmed meanwhile. */
function switchOver(state: ShardState, sealed: SealedSegment, item: SealedQueue): void {
  const { queue, places, firsts, lasts } = item;
  places.forEach((place, i) => {
    const runLast = lasts[i] as number;
    const end = queue.above(runLast);
    const messages = (end - queue.start) / 2;
    if (messages === 0) {
      state.markDirty(queue);
      return;
    }
    const bytes = queue.bytesBefore(end);
    const first = queue.entries[queue.start] as number;
    pushRun(queue, sealed.id, place, { messages, bytes, first, last: runLast });
    sealed.liveMessages += messages;
    sealed.liveBytes += bytes;
    // Trimmed in part since it was written: a restart must know.
    if (first !== firsts[i]) state.markDirty(queue);
    queue.cut(runLast);
  });
}

async function copyOut(
  state: ShardState,
  tail: TailSegment,
  tools: SealTools,
  ops: OpBatch,
  slice: Slice,
): Promise<void> {
  const { shard } = state;
  const pause = async () => {
    if (ops.full) await ops.flush();
    if (slice.over) await slice.rest();
  };
  await copyRetained(state, tail, tools, ops, pause);
  for (const session of tail.receiptSessions) {
    const keys = state.receipts.get(session);
    if (keys === undefined) ops.del(receiptsKey(shard, session));
    else ops.put(receiptsKey(shard, session), varints([...keys]));
    await pause();
  }
  for (const name of tail.senders) {
    const sender = state.senders.get(name);
    if (sender === undefined) ops.del(namedKey("sender", shard, name));
    else ops.put(namedKey("sender", shard, name), varints([sender.term, sender.seq]));
    await pause();
  }
  for (const queue of tail.progress) {
    const value = state.progress.get(queue);
    if (value === undefined) ops.del(namedKey("progress", shard, queue));
    else ops.put(namedKey("progress", shard, queue), Buffer.from(value));
    await pause();
  }
}

/** Copies the values that are in this segment; removes those that it or a later one removed. */
async function copyRetained(
  state: ShardState,
  tail: TailSegment,
  tools: SealTools,
  ops: OpBatch,
  pause: () => Promise<void>,
): Promise<void> {
  const { shard } = state;
  for (const topic of tail.topics) {
    const offset = state.retained.get(topic);
    if (offset === undefined) {
      ops.del(namedKey("retained", shard, topic));
      ops.del(namedKey("retainedBody", shard, topic));
    } else if (offset >= tail.first && offset <= tail.last) {
      const record = await tools.reader.record(tail.id, tail.recordOf(offset));
      const body = record === undefined ? undefined : bodyOf(record, offset);
      if (body === undefined)
        throw corrupt(`shard ${shard}: offset ${offset} is not in its record`);
      ops.put(namedKey("retained", shard, topic), varints([offset]));
      ops.put(namedKey("retainedBody", shard, topic), body);
    }
    await pause();
  }
}

function varints(values: readonly number[]): Buffer {
  const out = new ByteWriter(16);
  for (const value of values) out.varint(value);
  return out.take();
}
