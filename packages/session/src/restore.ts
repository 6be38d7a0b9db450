/** A state from the chunks of a snapshot, given one by one in their order. */
import { ByteReader, DecodeError, RangeSet } from "@canopy/base";
import { type EffectSink, noEffects } from "./effects.ts";
import { readUnfinished, readVector, readWill } from "./encode-values.ts";
import { Session, type Vector } from "./session.ts";
import {
  END_CHUNK,
  ENDED_CHUNK,
  HAS_CURSORS,
  HAS_DEADLINES,
  HAS_DONE,
  HAS_RECEIPTS,
  HAS_RETAINED,
  HAS_RETAINED_AFTER,
  HAS_UNFINISHED,
  HAS_USER,
  HAS_WILL,
  HEADER_CHUNK,
  IS_DRAINING,
  IS_DURABLE,
  IS_QUEUED,
  NEW_VECTOR,
  RECENT_VECTOR,
  RECENT_VECTORS,
  SESSIONS_CHUNK,
  SNAPSHOT_VERSION,
  WILLS_CHUNK,
  ZERO_VECTOR,
} from "./snapshot.ts";
import { SessionState } from "./state.ts";
import { Tables, willKey } from "./tables.ts";

export class SnapshotReader {
  #tables: Tables | undefined;
  readonly #filters: string[] = [];
  readonly #recent: Vector[] = [];
  #vectors = 0;
  #ended = false;

  /** Throws a DecodeError for anything but the next chunk of a snapshot. */
  push(chunk: Uint8Array): void {
    const r = new ByteReader(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    const kind = r.u8();
    if (this.#ended) throw new DecodeError("a chunk behind the end of a snapshot");
    if (this.#tables !== undefined) this.#read(kind, r, this.#tables);
    else if (kind === HEADER_CHUNK) this.#tables = readHeader(r);
    else throw outOfPlace(kind);
    r.expectEnd();
  }

  finish(effects: EffectSink = noEffects): SessionState {
    if (this.#tables === undefined || !this.#ended)
      throw new DecodeError("snapshot without an end");
    this.#tables.effects = effects;
    return new SessionState(this.#tables);
  }

  #read(kind: number, r: ByteReader, tables: Tables): void {
    if (kind === END_CHUNK) return this.#end(r, tables);
    if (kind !== SESSIONS_CHUNK && kind !== ENDED_CHUNK && kind !== WILLS_CHUNK) {
      throw outOfPlace(kind);
    }
    while (r.remaining > 0) {
      if (kind === SESSIONS_CHUNK) this.#readSession(r, tables);
      else if (kind === ENDED_CHUNK) readEnded(r, tables);
      else readPendingWill(r, tables);
    }
  }

  #end(r: ByteReader, tables: Tables): void {
    for (const [what, { size }] of [
      ["sessions", tables.sessions],
      ["ended sessions", tables.ended],
      ["wills", tables.wills],
    ] as const) {
      const expected = r.varint();
      if (expected !== size) throw new DecodeError(`${size} of ${expected} ${what}`);
    }
    this.#ended = true;
  }

  #readSession(r: ByteReader, tables: Tables): void {
    const flags = r.u8();
    const clientId = r.string();
    const incarnation = r.varint();
    const session = new Session(clientId, incarnation, (flags & IS_DURABLE) !== 0, tables.zeros);
    session.epoch = r.varint();
    session.gateway = r.varint();
    if (session.gateway !== 0) session.requestId = r.varint();
    session.expiry = r.varint();
    if (flags & HAS_USER) session.user = r.string();
    if (flags & HAS_WILL) session.will = readWill(r);
    if (flags & HAS_DEADLINES) {
      session.willAt = r.varint();
      session.expiresAt = r.varint();
    }
    if (flags & HAS_CURSORS) session.cursors = readVector(r);
    for (let left = r.varint(); left > 0; left--) this.#readSubscription(r, tables, session);
    if (flags & HAS_DONE) session.done = readDone(r);
    if (flags & HAS_UNFINISHED) readDeliveries(r, tables, session);
    if (flags & HAS_RECEIPTS) session.receiptShards = readVector(r);
    tables.insert(session);
  }

  #readSubscription(r: ByteReader, tables: Tables, session: Session): void {
    const flags = r.u8();
    const filter = tables.filter(this.#readFilter(r));
    const options = r.u8();
    const identifier = r.varint();
    const starts = this.#readVector(r, tables);
    const held = tables.subscribe(session, filter, options, identifier, starts);
    held.draining = (flags & IS_DRAINING) !== 0;
    if (flags & HAS_RETAINED) held.retainedUpTo = this.#readVector(r, tables);
    if (flags & HAS_RETAINED_AFTER) held.retainedAfter = { shard: r.varint(), topic: r.string() };
    tables.setQueued(held, (flags & IS_QUEUED) !== 0);
  }

  #readFilter(r: ByteReader): string {
    const number = r.varint();
    if (number > 0) return known(this.#filters, number - 1);
    const comesAgain = r.bool();
    const name = r.string();
    if (comesAgain) this.#filters.push(name);
    return name;
  }

  #readVector(r: ByteReader, tables: Tables): Vector {
    const number = r.varint();
    if (number === ZERO_VECTOR) return tables.zeros;
    if (number !== NEW_VECTOR) return known(this.#recent, number - RECENT_VECTOR);
    const vector = readVector(r);
    this.#recent[this.#vectors++ % RECENT_VECTORS] = vector;
    return vector;
  }
}

/** All at once. */
export function restore(
  chunks: Iterable<Uint8Array>,
  effects: EffectSink = noEffects,
): SessionState {
  const reader = new SnapshotReader();
  for (const chunk of chunks) reader.push(chunk);
  return reader.finish(effects);
}

function known<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined)
    throw new DecodeError(`snapshot names number ${index}, which is not there`);
  return item;
}

function readHeader(r: ByteReader): Tables {
  const version = r.u8();
  if (version !== SNAPSHOT_VERSION) {
    throw new DecodeError(`snapshot of version ${version}; known is ${SNAPSHOT_VERSION}`);
  }
  const placement = { shards: r.varint(), groups: r.varint(), group: r.varint() };
  const tables = new Tables(placement, noEffects);
  tables.clock = r.varint();
  tables.lastIncarnation = r.varint();
  tables.version = r.varint();
  for (const gateway of readVector(r)) tables.gateways.add(gateway);
  for (const store of readVector(r)) tables.stores.add(store);
  return tables;
}

function readEnded(r: ByteReader, tables: Tables): void {
  const incarnation = r.varint();
  tables.ended.set(incarnation, incarnation);
}

function readPendingWill(r: ByteReader, tables: Tables): void {
  const incarnation = r.varint();
  const epoch = r.varint();
  const { record, expiry } = readWill(r);
  tables.wills.set(willKey(incarnation, epoch), { incarnation, epoch, record, expiry });
}

function outOfPlace(kind: number): DecodeError {
  return new DecodeError(`chunk ${kind} out of place in a snapshot`);
}

function readDone(r: ByteReader): Map<number, RangeSet> {
  const done = new Map<number, RangeSet>();
  for (let left = r.varint(); left > 0; left--) done.set(r.varint(), RangeSet.decode(r));
  return done;
}

function readDeliveries(r: ByteReader, tables: Tables, session: Session): void {
  session.unfinished = new Map();
  for (let left = r.varint(); left > 0; left--) {
    const entry = readUnfinished(r);
    // The name is kept once, by the filter.
    const queue = tables.filters.get(entry.queue)?.name ?? entry.queue;
    session.unfinished.set(entry.packetId, { ...entry, queue });
  }
}
