import type { Offset, QueuePosition, ReadLimits, ReadResult, StoredMessage } from "@canopy/store";
import { Cursor, END } from "./cursor.ts";
import type { DiskReader } from "./disk-reader.ts";
import { corrupt } from "./errors.ts";
import { indexIn, type Part, partFor, type StoredRecord } from "./record.ts";
import type { ShardState } from "./shard-state.ts";

const NOTHING = Buffer.alloc(0);
/**
 * A message that is given away keeps its whole record in memory. What is kept beside the messages may
 * be so many times their bytes, and so many times what the read may bring; the rest is copied.
 */
const KEPT = 4;
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
    const messages = await fetchBodies(state, reader, picked, limits.bytes * KEPT);
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
  const [only] = cursors;
  if (only !== undefined && cursors.length === 1) return pickFrom(only, picked, limits);
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

/** The same for a single queue, which is the usual case: nothing to compare. */
async function pickFrom(cursor: Cursor, picked: Picked, limits: ReadLimits): Promise<Picked> {
  const holders = [cursor.index];
  const bound = picked.upTo;
  let bytes = 0;
  while (cursor.offset <= bound) {
    add(picked, cursor);
    picked.queues.push(holders);
    bytes += cursor.size;
    if (picked.offsets.length >= limits.messages || bytes >= limits.bytes) {
      picked.upTo = cursor.offset;
      picked.limited = true;
      break;
    }
    if (!cursor.next()) await settle([cursor]);
  }
  return picked;
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
  mostKept: number,
): Promise<StoredMessage[] | undefined> {
  const messages: StoredMessage[] = [];
  const copies = new Copies(picked, mostKept);
  let moved = false;
  await reader.eachRecord(picked.places, (number, record) => {
    if (record === undefined) moved = true;
    else addBodies(state, picked, number, record, copies, messages);
  });
  return moved ? undefined : messages;
}

/** Adds the messages that are in one record. */
function addBodies(
  state: ShardState,
  picked: Picked,
  number: number,
  record: StoredRecord,
  copies: Copies,
  messages: StoredMessage[],
): void {
  const begin = picked.begins[number] as number;
  const end = picked.begins[number + 1] ?? picked.offsets.length;
  const isCopied = copies.isNeeded(record, sizeOf(picked, begin, end));
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
    const from = part.start + (index === 0 ? 0 : (part.ends[index - 1] as number));
    const to = part.start + (part.ends[index] as number);
    const queues = picked.queues[i] as readonly number[];
    if (isCopied) {
      const start = copies.add(i, record.bytes, from, to);
      messages.push({ offset, bytes: copies.bytes, start, end: copies.length, queues });
    } else messages.push({ offset, bytes: record.bytes, start: from, end: to, queues });
  }
}

function sizeOf({ sizes }: Picked, begin: number, end: number): number {
  let bytes = 0;
  for (let i = begin; i < end; i++) bytes += sizes[i] as number;
  return bytes;
}

/** What one read copies, in one buffer: one for each message would cost more than the copy. */
class Copies {
  bytes: Buffer = NOTHING;
  length = 0;
  readonly #picked: Picked;
  readonly #mostKept: number;
  /** Bytes of the messages so far, and of records that are kept beside them. */
  #wanted = 0;
  #unwanted = 0;

  constructor(picked: Picked, mostKept: number) {
    this.#picked = picked;
    this.#mostKept = mostKept;
  }

  /** Whether that much is to be copied out of the record, rather than to keep it. */
  isNeeded(record: StoredRecord, wanted: number): boolean {
    this.#wanted += wanted;
    const unwanted = this.#unwanted + record.bytes.length - wanted;
    if (unwanted > Math.min(this.#wanted * KEPT, this.#mostKept)) return true;
    this.#unwanted = unwanted;
    return false;
  }

  /** Of the message with this index; returns where it begins, it ends at `length`. Throws `corrupt`. */
  add(index: number, source: Buffer, from: number, to: number): number {
    if (this.bytes === NOTHING) {
      const rest = sizeOf(this.#picked, index, this.#picked.sizes.length);
      this.bytes = Buffer.allocUnsafeSlow(rest);
    }
    const start = this.length;
    this.length += to - from;
    if (this.length > this.bytes.length) {
      const offset = this.#picked.offsets[index];
      throw corrupt(`the message at offset ${offset} is larger than the index says`);
    }
    source.copy(this.bytes, start, from, to);
    return start;
  }
}
