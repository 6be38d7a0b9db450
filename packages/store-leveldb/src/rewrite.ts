/** Rewriting: what is left in mostly unneeded segments is moved to a new one, and they are dropped. */
import type { Offset } from "@canopy/store";
import type { Op } from "./database.ts";
import { encodeMoved, type MovedMessage } from "./encode.ts";
import { corrupt } from "./errors.ts";
import { keyOf, pairKey } from "./keys.ts";
import { pushRun } from "./load.ts";
import { OpBatch } from "./op-batch.ts";
import { PLACE, type QueueIndex, RUN, SEGMENT } from "./queue-index.ts";
import { bodyAt, indexIn, partFor, type StoredRecord } from "./record.ts";
import { decodeRun, eachRun, RUN_LENGTH, RunWriter } from "./run.ts";
import type { SealTools } from "./seal.ts";
import { encodeDescriptor, SealedSegment } from "./segments.ts";
import type { ShardState } from "./shard-state.ts";
import { Slice } from "./slice.ts";

/** A segment is worth rewriting when less than this part of it is needed. */
const LIVE_PART = 1 / 4;
/** So many small neighbours are worth merging whatever they hold. */
const MERGE = 8;
/** Messages moved at once, for the sake of memory. */
const MOST_MESSAGES = 200_000;
/** Bodies per record of a rewritten segment. */
const RECORD_BYTES = 256 * 1024;
/** Records read between two portions written. */
const PORTION = 64;

export interface RewriteOptions {
  readonly segmentBytes: number;
  readonly newSegment: () => number;
  /** Wall clock, ms. */
  readonly wall: () => number;
  /** Whether a segment of which little is needed may be rewritten already. */
  readonly isRipe: (segment: SealedSegment) => boolean;
}

/** What is left of one queue in the segments. */
interface Rest {
  readonly queue: QueueIndex;
  readonly floor: Offset;
  /** Parallel, ascending. */
  readonly offsets: number[];
  readonly sizes: number[];
  /** Filled when it is written: per run its place and the end in the arrays above. */
  readonly places: number[];
  readonly ends: number[];
}

/** Where the messages are and go; parallel, ascending by offset. */
interface Moves {
  readonly offsets: Float64Array;
  /** Record number in the new segment; -1 for one that has expired. */
  readonly targets: Int32Array;
}

/** Rewrites one group of segments; returns them, to be deleted. Empty if none is worth it. */
export async function rewriteOnce(
  state: ShardState,
  tools: SealTools,
  options: RewriteOptions,
): Promise<readonly SealedSegment[]> {
  const group = selectGroup(state.sealed, options);
  if (group.length === 0) return group;
  const id = options.newSegment();
  const { shard } = state;
  // From now on a crash leaves something that the next start must delete.
  const writing = encodeDescriptor({ state: "writing", shard });
  await tools.committer.write([{ type: "put", key: keyOf("segment", id), value: writing }]);
  const slice = new Slice();
  const rests = await collect(state, tools, group, slice);
  const ops = new OpBatch(tools.committer);
  const { moves, records, bytes } = await moveBodies(
    state,
    tools,
    { group, rests, id },
    ops,
    options,
  );
  const chunks = await writeRuns(rests, moves, id, ops, slice);
  await ops.flush();
  const [first, last] = [moves.offsets[0] ?? 0, moves.offsets.at(-1) ?? 0];
  const fresh = new SealedSegment(id, { records, chunks, bytes, first, last });
  await tools.committer.write(transition(shard, fresh, group));
  state.removeSealed(group);
  if (records > 0) state.addSealed(fresh);
  const old = new Set(group.map((segment) => segment.id));
  for (const rest of rests) {
    switchOver(state, fresh, rest, old);
    if (slice.over) await slice.rest();
  }
  return group;
}

/** Neighbours of which little is needed; see the constants above. */
export function selectGroup(
  sealed: readonly SealedSegment[],
  { segmentBytes, isRipe }: Pick<RewriteOptions, "segmentBytes" | "isRipe">,
): readonly SealedSegment[] {
  let group: SealedSegment[] = [];
  let live = 0;
  let messages = 0;
  let bytes = 0;
  const isWorth = () =>
    group.length >= MERGE || (bytes >= segmentBytes * LIVE_PART && live < bytes * LIVE_PART);
  for (const segment of sealed) {
    const isSparse = isMostlyUnneeded(segment) && isRipe(segment);
    const isSmall = segment.bytes < segmentBytes * LIVE_PART;
    const fits =
      live + segment.liveBytes <= segmentBytes && messages + segment.liveMessages <= MOST_MESSAGES;
    if (!(isSparse || isSmall) || !fits) {
      if (isWorth()) return group;
      group = [];
      live = messages = bytes = 0;
      if (!(isSparse || isSmall) || segment.liveMessages > MOST_MESSAGES) continue;
    }
    group.push(segment);
    live += segment.liveBytes;
    messages += segment.liveMessages;
    bytes += segment.bytes;
  }
  return isWorth() ? group : [];
}

function isMostlyUnneeded({ liveBytes, bytes }: SealedSegment): boolean {
  return liveBytes < bytes * LIVE_PART;
}

/** What the queues still hold in these segments. */
async function collect(
  state: ShardState,
  { database }: SealTools,
  group: readonly SealedSegment[],
  slice: Slice,
): Promise<Rest[]> {
  const rests = new Map<QueueIndex, Rest>();
  for (const { id, chunks } of group) {
    for (let number = 0; number < chunks; number++) {
      const chunk = await database.get(pairKey("chunk", id, number));
      if (chunk === undefined) throw corrupt(`chunk ${number} of segment ${id} is missing`);
      eachRun(chunk, number, ({ name, last }, place) => {
        const queue = state.queues.get(name);
        if (queue === undefined || last <= queue.floor || !hasRun(queue, id, place)) return;
        addRest(rests, queue, id, chunk, place);
      });
      if (slice.over) await slice.rest();
    }
  }
  return [...rests.values()];
}

function hasRun({ runs }: QueueIndex, segment: number, place: number): boolean {
  for (let at = 0; at < runs.length; at += RUN) {
    if (runs[at + SEGMENT] === segment && runs[at + PLACE] === place) return true;
  }
  return false;
}

function addRest(
  rests: Map<QueueIndex, Rest>,
  queue: QueueIndex,
  segment: number,
  chunk: Buffer,
  place: number,
): void {
  let rest = rests.get(queue);
  if (rest === undefined) {
    rest = { queue, floor: queue.floor, offsets: [], sizes: [], places: [], ends: [] };
    rests.set(queue, rest);
  }
  const run = decodeRun(segment, chunk, place);
  for (let i = 0; i < run.offsets.length; i++) {
    const offset = run.offsets[i] as number;
    if (offset <= rest.floor) continue;
    rest.offsets.push(offset);
    rest.sizes.push(run.sizes[i] as number);
  }
}

/** Copies the bodies into records of the new segment, without those that have expired. */
async function moveBodies(
  state: ShardState,
  tools: SealTools,
  { group, rests, id }: { group: readonly SealedSegment[]; rests: readonly Rest[]; id: number },
  ops: OpBatch,
  { wall }: RewriteOptions,
): Promise<{ moves: Moves; records: number; bytes: number }> {
  const offsets = Float64Array.from(new Set(rests.flatMap((rest) => rest.offsets))).sort();
  const moves: Moves = { offsets, targets: new Int32Array(offsets.length).fill(-1) };
  const now = wall();
  let records = 0;
  let bytes = 0;
  let next = 0;
  let waiting: MovedMessage[] = [];
  let waitingBytes = 0;
  const writeRecord = () => {
    if (waiting.length === 0) return;
    const record = encodeMoved(waiting);
    ops.put(pairKey("record", id, records++), record.bytes);
    bytes += record.bytes.length;
    waiting = [];
    waitingBytes = 0;
  };
  const take = (record: StoredRecord) => {
    for (; next < offsets.length; next++) {
      const message = messageIn(record, offsets[next] as number);
      if (message === undefined) return;
      if (message.expiry > 0 && message.expiry <= now) continue;
      moves.targets[next] = records;
      waiting.push(message);
      waitingBytes += message.body.length;
      if (waitingBytes >= RECORD_BYTES) writeRecord();
    }
  };
  for (const segment of group) {
    for (let begin = 0; begin < segment.records; begin += PORTION) {
      const places: number[] = [];
      const end = Math.min(begin + PORTION, segment.records);
      for (let number = begin; number < end; number++) places.push(segment.id, number);
      await tools.reader.eachRecord(places, (index, record) => {
        if (record !== undefined) take(record);
        else throw corrupt(`record ${begin + index} of segment ${segment.id} is missing`);
      });
      if (ops.full) await ops.flush();
    }
  }
  if (next < offsets.length)
    throw corrupt(`shard ${state.shard}: messages to be moved are missing`);
  writeRecord();
  return { moves, records, bytes };
}

function messageIn(record: StoredRecord, offset: Offset): MovedMessage | undefined {
  const part = partFor(record, offset);
  const index = part === undefined ? -1 : indexIn(part, offset);
  if (part === undefined || index < 0) return undefined;
  return { offset, body: bodyAt(record, part, index), expiry: part.expiries?.[index] ?? 0 };
}

/** Returns the number of chunks. */
async function writeRuns(
  rests: readonly Rest[],
  moves: Moves,
  id: number,
  ops: OpBatch,
  slice: Slice,
): Promise<number> {
  const runs = new RunWriter();
  const flushChunk = async () => {
    const number = runs.chunk;
    const chunk = runs.take();
    if (chunk !== undefined) ops.put(pairKey("chunk", id, number), chunk);
    if (ops.full) await ops.flush();
  };
  for (const rest of rests) {
    dropExpired(rest, moves);
    const { queue, offsets, sizes, places, ends } = rest;
    for (let i = 0; i < offsets.length; i++) {
      const offset = offsets[i] as number;
      runs.add(offset, moves.targets[find(moves.offsets, offset)] as number, sizes[i] as number);
      if (runs.messages < RUN_LENGTH && i + 1 < offsets.length) continue;
      places.push(runs.end(queue.name));
      ends.push(i + 1);
      if (runs.full) await flushChunk();
      if (slice.over) await slice.rest();
    }
  }
  await flushChunk();
  return runs.chunk;
}

function dropExpired({ offsets, sizes }: Rest, moves: Moves): void {
  let kept = 0;
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] as number;
    if ((moves.targets[find(moves.offsets, offset)] as number) < 0) continue;
    offsets[kept] = offset;
    sizes[kept++] = sizes[i] as number;
  }
  offsets.length = sizes.length = kept;
}

function find(offsets: Float64Array, offset: Offset): number {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((offsets[middle] as number) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** In one write the new segment counts and the old ones don't. */
function transition(shard: number, fresh: SealedSegment, group: readonly SealedSegment[]): Op[] {
  const { id, records, chunks, bytes, first, last } = fresh;
  const fields = { shard, records, chunks, bytes, first, last };
  const ops: Op[] = group.map((segment) => ({
    type: "put",
    key: keyOf("segment", segment.id),
    value: encodeDescriptor({ state: "dropped", shard }),
  }));
  if (records === 0) ops.push({ type: "del", key: keyOf("segment", id) });
  else {
    const value = encodeDescriptor({ state: "sealed", ...fields });
    ops.push({ type: "put", key: keyOf("segment", id), value });
  }
  return ops;
}

/** Replaces the queue's runs in the old segments, without what was trimmed meanwhile. */
function switchOver(
  state: ShardState,
  fresh: SealedSegment,
  rest: Rest,
  old: ReadonlySet<number>,
): void {
  const { queue, offsets, sizes, places, ends } = rest;
  const { runs } = queue;
  let begin = 0;
  while (begin < runs.length && !old.has(runs[begin + SEGMENT] as number)) begin += RUN;
  let end = begin;
  while (end < runs.length && old.has(runs[end + SEGMENT] as number)) end += RUN;
  const behindOld = runs.slice(end);
  queue.runs = runs.slice(0, begin);
  let from = 0;
  places.forEach((place, i) => {
    const to = ends[i] as number;
    while (from < to && (offsets[from] as number) <= queue.floor) from++;
    if (from === to) return;
    let bytes = 0;
    for (let at = from; at < to; at++) bytes += sizes[at] as number;
    const run = {
      bytes,
      messages: to - from,
      first: offsets[from] as number,
      last: offsets[to - 1] as number,
    };
    pushRun(queue, fresh.id, place, run);
    fresh.liveMessages += run.messages;
    fresh.liveBytes += bytes;
    from = to;
  });
  if (behindOld.length > 0) queue.runs = [...queue.runs, ...behindOld];
  // Trimmed since it was written: a restart must know.
  if (queue.floor > rest.floor) state.markDirty(queue);
  state.forgetIfEmpty(queue);
}
