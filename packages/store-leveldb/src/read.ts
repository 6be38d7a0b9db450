import type { Offset, QueuePosition, ReadLimits, ReadResult, StoredMessage } from "@canopy/store";
import { Cursor, END } from "./cursor.ts";
import type { DiskReader } from "./disk-reader.ts";
import { corrupt } from "./errors.ts";
import { bodyAt, indexIn, type Part, partFor, type StoredRecord } from "./record.ts";
import type { ShardState } from "./shard-state.ts";

/** Of a record of which less than this part is wanted, bodies are copied: a view keeps it all. */
const SPARSE = 4;
/** How often a read starts again because what it wanted was moved meanwhile. */
const ATTEMPTS = 10;

/** What a read will return, before the bodies are there. Parallel arrays. */
interface Picked {
  readonly offsets: number[];
  readonly sizes: number[];
  /** Segment and record in turn, each record once, in the order of the messages … */
  readonly places: number[];
  /** … and the message with which each begins. */
  readonly begins: number[];
  readonly queues: (readonly number[])[];
  upTo: Offset;
  limited: boolean;
}

/** Merges queues by offset; see the port. */
export async function readShard(
  state: ShardState,
  reader: DiskReader,
  queues: readonly QueuePosition[],
  limits: ReadLimits,
): Promise<ReadResult> {
  const bound = state.head;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const cursors = queues.map((position, index) => new Cursor(state, reader, index, position));
    const picked = await pick(cursors, limits, bound);
    const messages = await fetchBodies(state, reader, picked);
    // Undefined: a segment was moved between finding and fetching. The index knows where to now.
    if (messages !== undefined) return { messages, upTo: picked.upTo, limited: picked.limited };
  }
  throw corrupt(`shard ${state.shard}: messages are not where the index says`);
}

async function pick(
  cursors: readonly Cursor[],
  limits: ReadLimits,
  bound: Offset,
): Promise<Picked> {
  const picked: Picked = {
    offsets: [],
    sizes: [],
    places: [],
    begins: [],
    queues: [],
    upTo: bound,
    limited: false,
  };
  await settle(cursors);
  const single = cursors.map(({ index }) => [index]);
  let bytes = 0;
  for (;;) {
    const first = lowest(cursors);
    if (first === undefined || first.offset > bound) return picked;
    const { offset } = first;
    add(picked, first);
    bytes += first.size;
    let holders: number[] | undefined;
    let complete = true;
    for (const cursor of cursors) {
      if (cursor.offset !== offset) continue;
      if (holders === undefined) holders = single[cursor.index] as number[];
      else if (holders.length === 1) holders = [holders[0] as number, cursor.index];
      else holders.push(cursor.index);
      complete = cursor.next() && complete;
    }
    picked.queues.push(holders ?? []);
    if (picked.offsets.length >= limits.messages || bytes >= limits.bytes) {
      picked.upTo = offset;
      picked.limited = true;
      return picked;
    }
    if (!complete) await settle(cursors);
  }
}

/** Brings all cursors to their next message, awaiting what is not in memory. */
async function settle(cursors: readonly Cursor[]): Promise<void> {
  for (;;) {
    const waiting: Promise<void>[] = [];
    for (const cursor of cursors) {
      const needed = cursor.seek();
      if (needed !== undefined) waiting.push(needed);
    }
    if (waiting.length === 0) return;
    await Promise.all(waiting);
  }
}

function lowest(cursors: readonly Cursor[]): Cursor | undefined {
  let found: Cursor | undefined;
  let offset = END;
  for (const cursor of cursors) {
    if (cursor.offset < offset) {
      offset = cursor.offset;
      found = cursor;
    }
  }
  return found;
}

function add(picked: Picked, { offset, size, segment, record }: Cursor): void {
  const { places, offsets } = picked;
  const length = places.length;
  if (places[length - 1] !== record || places[length - 2] !== segment) {
    places.push(segment, record);
    picked.begins.push(offsets.length);
  }
  offsets.push(offset);
  picked.sizes.push(size);
}

async function fetchBodies(
  state: ShardState,
  reader: DiskReader,
  picked: Picked,
): Promise<StoredMessage[] | undefined> {
  const messages: StoredMessage[] = [];
  let moved = false;
  await reader.eachRecord(picked.places, (number, record) => {
    if (record === undefined) moved = true;
    else addBodies(state, picked, number, record, messages);
  });
  return moved ? undefined : messages;
}

/** Adds the messages that are in one record. */
function addBodies(
  state: ShardState,
  picked: Picked,
  number: number,
  record: StoredRecord,
  messages: StoredMessage[],
): void {
  const begin = picked.begins[number] as number;
  const end = picked.begins[number + 1] ?? picked.offsets.length;
  let wanted = 0;
  for (let i = begin; i < end; i++) wanted += picked.sizes[i] as number;
  const copy = wanted * SPARSE < record.bytes.length;
  let part: Part | undefined;
  for (let i = begin; i < end; i++) {
    const offset = picked.offsets[i] as number;
    let index = part === undefined ? -1 : indexIn(part, offset);
    if (index < 0) {
      part = partFor(record, offset);
      index = part === undefined ? -1 : indexIn(part, offset);
    }
    if (part === undefined || index < 0) {
      throw corrupt(`shard ${state.shard}: offset ${offset} is not in its record`);
    }
    const view = bodyAt(record, part, index);
    const body = copy ? new Uint8Array(view) : view;
    messages.push({ offset, body, queues: picked.queues[i] as readonly number[] });
  }
}
