/** Rebuilds the memory of one shard from disk. */
import { ByteReader } from "@canopy/base";
import type { Offset } from "@canopy/store";
import type { Database } from "./database.ts";
import { corrupt } from "./errors.ts";
import { behind, type NamedKind, nameIn, prefixOf, sessionIn } from "./keys.ts";
import { appendsOf } from "./meta.ts";
import { QueueIndex } from "./queue-index.ts";
import { decodeRecord } from "./record.ts";
import { decodeRun, eachRun } from "./run.ts";
import { type Descriptor, SealedSegment, TailSegment } from "./segments.ts";
import { remaining, ShardState } from "./shard-state.ts";

export interface EpochRecord {
  readonly epoch: number;
  readonly head: Offset;
}

export function decodeEpoch(value: Buffer): EpochRecord {
  const reader = new ByteReader(value);
  return { epoch: reader.varint(), head: reader.varint() };
}

/** Throws StoreErrors; `corrupt` where records are missing. */
export async function loadShard(
  database: Database,
  shard: number,
  epoch: EpochRecord,
  segments: ReadonlyMap<number, Descriptor>,
): Promise<ShardState> {
  const state = new ShardState(shard);
  state.epoch = epoch.epoch;
  state.head = epoch.head;
  const floors = await loadFloors(database, shard);
  await loadCopies(database, state);
  const own = [...segments].filter(([, descriptor]) => descriptor.shard === shard);
  for (const [id, descriptor] of own) {
    if (descriptor.state !== "sealed") continue;
    state.addSealed(new SealedSegment(id, descriptor));
    state.head = Math.max(state.head, descriptor.last);
  }
  for (const segment of state.sealed) await loadSealed(database, state, segment, floors);
  const open = own.filter(([, { state: kind }]) => kind === "open").sort(([a], [b]) => a - b);
  for (const [id, descriptor] of open) await loadTail(database, state, id, descriptor, floors);
  return state;
}

async function scanNamed(
  database: Database,
  kind: NamedKind,
  shard: number,
  visit: (name: string, value: Buffer) => void,
): Promise<void> {
  const prefix = prefixOf(kind, shard);
  await database.scan(prefix, behind(prefix), (key, value) => visit(nameIn(key), value));
}

async function loadFloors(database: Database, shard: number): Promise<Map<string, Offset>> {
  const floors = new Map<string, Offset>();
  await scanNamed(database, "floor", shard, (name, value) => {
    floors.set(name, new ByteReader(value).varint());
  });
  return floors;
}

/** What was copied out of sealed segments. */
async function loadCopies(database: Database, state: ShardState): Promise<void> {
  const { shard } = state;
  await scanNamed(database, "retained", shard, (topic, value) => {
    state.retained.set(topic, new ByteReader(value).varint());
  });
  await scanNamed(database, "sender", shard, (sender, value) => {
    const reader = new ByteReader(value);
    state.senders.set(sender, { sender, term: reader.varint(), seq: reader.varint() });
  });
  await scanNamed(database, "progress", shard, (queue, value) => {
    state.progress.set(queue, new Uint8Array(value));
  });
  const prefix = prefixOf("receipts", shard);
  await database.scan(prefix, behind(prefix), (key, value) => {
    const reader = new ByteReader(value);
    const keys = new Set<number>();
    while (reader.remaining > 0) keys.add(reader.varint());
    state.receipts.set(sessionIn(key), keys);
  });
}

async function loadSealed(
  database: Database,
  state: ShardState,
  segment: SealedSegment,
  floors: ReadonlyMap<string, Offset>,
): Promise<void> {
  let chunks = 0;
  const prefix = prefixOf("chunk", segment.id);
  await database.scan(prefix, behind(prefix), (_key, chunk) => {
    eachRun(chunk, chunks, (head, place) => {
      const floor = floors.get(head.name) ?? 0;
      if (head.last <= floor) return;
      let left = head;
      if (head.first <= floor) {
        left = { ...head, ...remaining(decodeRun(segment.id, chunk, place), floor) };
      }
      if (left.messages > 0) addRun(state, segment, left, place, floor);
    });
    chunks++;
  });
  if (chunks !== segment.chunks) {
    throw corrupt(`segment ${segment.id} has ${chunks} chunks instead of ${segment.chunks}`);
  }
}

function addRun(
  state: ShardState,
  segment: SealedSegment,
  run: { name: string; messages: number; bytes: number; first: Offset; last: Offset },
  place: number,
  floor: Offset,
): void {
  let queue = state.queues.get(run.name);
  if (queue === undefined) state.queues.set(run.name, (queue = new QueueIndex(run.name)));
  queue.floor = floor;
  pushRun(queue, segment.id, place, run);
  segment.liveMessages += run.messages;
  segment.liveBytes += run.bytes;
}

/** Adds a run behind the others. */
export function pushRun(
  queue: QueueIndex,
  segment: number,
  place: number,
  run: { messages: number; bytes: number; first: Offset; last: Offset },
): void {
  const { runs } = queue;
  const at = runs.length;
  // A literal, as for the entries: most queues have one run.
  if (at === 0) queue.runs = [segment, place, run.messages, run.bytes, run.first, run.last];
  else runs.push(segment, place, run.messages, run.bytes, run.first, run.last);
}

async function loadTail(
  database: Database,
  state: ShardState,
  id: number,
  descriptor: Descriptor,
  floors: ReadonlyMap<string, Offset>,
): Promise<void> {
  const previous = state.tails.at(-1);
  if (previous !== undefined && previous.id === descriptor.previous) {
    requireRecords(previous, descriptor.previousRecords);
  }
  const tail = new TailSegment(id);
  const prefix = prefixOf("record", id);
  await database.scan(prefix, behind(prefix), (key, value) => {
    requireRecords(tail, key.readUInt32BE(prefix.length));
    replay(state, tail, value, floors);
  });
  state.tails.push(tail);
}

function replay(
  state: ShardState,
  tail: TailSegment,
  value: Buffer,
  floors: ReadonlyMap<string, Offset>,
): void {
  const record = decodeRecord(value);
  tail.starts.push(record.parts[0]?.first ?? tail.last + 1);
  tail.bytes += record.bytes.length;
  for (const append of appendsOf(record)) state.apply(append, tail, floors);
}

function requireRecords(tail: TailSegment, expected: number): void {
  if (tail.records === expected) return;
  throw corrupt(
    `segment ${tail.id} has ${tail.records} records where ${expected} were written: ` +
      "a part of the log is missing",
  );
}
