/**
 * The whole state in chunks, as it was at one moment, while commands go on being applied.
 *
 * Sessions are encoded one by one; one that is about to change before its turn is encoded first. So
 * nothing of them is copied, and a snapshot costs a session that changes meanwhile nothing but its
 * place in the order. Of the other tables, whose entries never change, a list is made at the start.
 *
 * Chunks are whole in themselves: 1 = header, 2 = sessions, 3 = end with what there has to be,
 * 4 = ended sessions, 5 = wills that are to be published.
 */
import { ByteWriter } from "@canopy/base";
import type { PendingWill } from "./effects.ts";
import { writeUnfinished, writeVector, writeWill } from "./encode-values.ts";
import type { Filter, HeldSubscription, Session, Vector } from "./session.ts";
import type { Tables } from "./tables.ts";

/**
 * Raised when the meaning of the bytes changes; a reader refuses newer ones.
 *
 * 3: gateways and stores as the control log says. Nothing earlier is read: it was before the first
 * release.
 */
export const SNAPSHOT_VERSION = 4;

export const HEADER_CHUNK = 1;
export const SESSIONS_CHUNK = 2;
export const END_CHUNK = 3;
export const ENDED_CHUNK = 4;
export const WILLS_CHUNK = 5;

/** What a session has, in its first byte. */
export const HAS_USER = 1;
export const HAS_WILL = 2;
export const HAS_DEADLINES = 4;
export const HAS_DONE = 8;
export const HAS_UNFINISHED = 16;
export const IS_DURABLE = 32;
export const HAS_CURSORS = 64;
export const HAS_RECEIPTS = 128;

/** What a subscription has, in its first byte. */
export const IS_QUEUED = 1;
export const IS_DRAINING = 2;
export const HAS_RETAINED = 4;
export const HAS_RETAINED_AFTER = 8;

const CHUNK_BYTES = 64 * 1024;

/**
 * Vectors are mostly shared by sessions that follow each other, so a few of the last ones are
 * remembered: in a table of all of them a million would have to be found a place.
 */
export const RECENT_VECTORS = 256;
/** What stands for a vector: one of zeros, one that follows, or from here on a recent one. */
export const ZERO_VECTOR = 0;
export const NEW_VECTOR = 1;
export const RECENT_VECTOR = 2;

// Distinguishes snapshots in Session.snapshot; it is not part of the state.
let snapshots = 0;

type Stage = "header" | "tables" | "sessions" | "end" | "closed";

export class Snapshot implements IterableIterator<Uint8Array> {
  readonly #tables: Tables;
  readonly #id = ++snapshots;
  /** Sessions made later are not part of it. */
  readonly #last: number;
  readonly #sessions: Iterator<Session>;
  readonly #ended: readonly number[];
  readonly #wills: readonly PendingWill[];
  readonly #w = new ByteWriter(CHUNK_BYTES + CHUNK_BYTES / 2);
  readonly #header: Uint8Array;
  readonly #rest: Iterator<Uint8Array>;
  /** Where a recent vector is, and which one is in each place. */
  readonly #places = new Map<Vector, number>();
  readonly #recent: Vector[] = [];
  #vectors = 0;
  #filters = 0;
  #count = 0;
  #stage: Stage = "header";

  constructor(tables: Tables) {
    if (tables.beforeChange !== undefined) throw new Error("a snapshot is being taken already");
    this.#tables = tables;
    this.#last = tables.lastIncarnation;
    this.#sessions = tables.sessions.values();
    this.#ended = [...tables.ended.values()];
    this.#wills = [...tables.wills.values()];
    this.#header = this.#encodeHeader();
    this.#rest = this.#encodeTables();
    // What changes between chunks goes with the next one of sessions.
    this.#w.u8(SESSIONS_CHUNK);
    tables.beforeChange = (session) => this.#encode(session);
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Uint8Array, undefined> {
    if (this.#stage === "closed") return { done: true, value: undefined };
    if (this.#stage === "header") {
      this.#stage = "tables";
      return { done: false, value: this.#header };
    }
    if (this.#stage === "tables") {
      const { value, done } = this.#rest.next();
      if (!done) return { done: false, value };
      this.#stage = "sessions";
    }
    if (this.#stage === "sessions" && this.#fill()) return { done: false, value: this.#chunk() };
    const value = this.#encodeEnd();
    this.return();
    return { done: false, value };
  }

  /** Ends it early; nothing is told of changes any more. */
  return(): IteratorResult<Uint8Array, undefined> {
    if (this.#stage !== "closed") this.#tables.beforeChange = undefined;
    this.#stage = "closed";
    return { done: true, value: undefined };
  }

  #chunk(): Uint8Array {
    const bytes = this.#w.take();
    this.#w.u8(SESSIONS_CHUNK);
    return bytes;
  }

  /** False when there is nothing more to write. */
  #fill(): boolean {
    while (this.#w.length < CHUNK_BYTES) {
      const { value, done } = this.#sessions.next();
      if (done) return this.#w.length > 1;
      this.#encode(value);
    }
    return true;
  }

  #encode(session: Session): void {
    if (session.snapshot === this.#id || session.incarnation > this.#last) return;
    session.snapshot = this.#id;
    this.#count++;
    this.#writeSession(session);
  }

  #encodeHeader(): Uint8Array {
    const w = new ByteWriter();
    const t = this.#tables;
    w.u8(HEADER_CHUNK);
    w.u8(SNAPSHOT_VERSION);
    w.varint(t.placement.shards);
    w.varint(t.placement.groups);
    w.varint(t.placement.group);
    w.varint(t.clock);
    w.varint(t.lastIncarnation);
    w.varint(t.version);
    writeVector(w, [...t.gateways]);
    writeVector(w, [...t.stores]);
    return w.take();
  }

  *#encodeTables(): Generator<Uint8Array, undefined> {
    yield* encodeList(ENDED_CHUNK, this.#ended, (w, incarnation) => w.varint(incarnation));
    yield* encodeList(WILLS_CHUNK, this.#wills, writePendingWill);
    return undefined;
  }

  #encodeEnd(): Uint8Array {
    const w = new ByteWriter();
    w.u8(END_CHUNK);
    w.varint(this.#count);
    w.varint(this.#ended.length);
    w.varint(this.#wills.length);
    return w.take();
  }

  #writeSession(s: Session): void {
    const w = this.#w;
    w.u8(flagsOf(s, this.#tables.zeros));
    w.string(s.clientId);
    w.varint(s.incarnation);
    w.varint(s.epoch);
    w.varint(s.gateway);
    if (s.gateway !== 0) w.varint(s.requestId);
    w.varint(s.expiry);
    if (s.user !== undefined) w.string(s.user);
    if (s.will !== undefined) writeWill(w, s.will);
    if (s.deadline !== 0) {
      w.varint(s.willAt);
      w.varint(s.expiresAt);
    }
    // Hardly ever those of another session too: not worth being remembered.
    if (s.cursors !== this.#tables.zeros) writeVector(w, s.cursors);
    const subscriptions = s.subscriptionList();
    w.varint(subscriptions.length);
    for (const subscription of subscriptions) this.#writeSubscription(subscription);
    if (s.done !== undefined) {
      w.varint(s.done.size);
      for (const [shard, set] of s.done) {
        w.varint(shard);
        set.encode(w);
      }
    }
    if (s.unfinished !== undefined) {
      w.varint(s.unfinished.size);
      for (const entry of s.unfinished.values()) writeUnfinished(w, entry);
    }
    if (s.receiptShards !== undefined) writeVector(w, s.receiptShards);
  }

  #writeSubscription(held: HeldSubscription): void {
    const w = this.#w;
    w.u8(
      (held.queued ? IS_QUEUED : 0) |
        (held.draining ? IS_DRAINING : 0) |
        (held.retainedUpTo === undefined ? 0 : HAS_RETAINED) |
        (held.retainedAfter === undefined ? 0 : HAS_RETAINED_AFTER),
    );
    this.#writeFilter(held.filter);
    w.u8(held.options);
    w.varint(held.identifier);
    this.#writeVector(held.starts);
    if (held.retainedUpTo !== undefined) this.#writeVector(held.retainedUpTo);
    if (held.retainedAfter !== undefined) {
      w.varint(held.retainedAfter.shard);
      w.string(held.retainedAfter.topic);
    }
  }

  /** 0 and the name of one that nobody else has, or that comes for the first time; else its number. */
  #writeFilter(filter: Filter): void {
    if (filter.snapshot === this.#id) {
      this.#w.varint(filter.number);
      return;
    }
    const isShared = filter.hasSeveral;
    this.#w.varint(0);
    this.#w.bool(isShared);
    this.#w.string(filter.name);
    if (!isShared) return;
    filter.snapshot = this.#id;
    filter.number = ++this.#filters;
  }

  #writeVector(vector: Vector): void {
    if (vector === this.#tables.zeros) {
      this.#w.varint(ZERO_VECTOR);
      return;
    }
    const place = this.#places.get(vector);
    if (place !== undefined) {
      this.#w.varint(RECENT_VECTOR + place);
      return;
    }
    this.#w.varint(NEW_VECTOR);
    writeVector(this.#w, vector);
    this.#remember(vector);
  }

  /** In the place of the oldest. */
  #remember(vector: Vector): void {
    const place = this.#vectors++ % RECENT_VECTORS;
    const oldest = this.#recent[place];
    if (oldest !== undefined) this.#places.delete(oldest);
    this.#recent[place] = vector;
    this.#places.set(vector, place);
  }
}

/** In chunks of a list each. */
function* encodeList<T>(
  kind: number,
  items: readonly T[],
  write: (w: ByteWriter, item: T) => void,
): Generator<Uint8Array, undefined> {
  const w = new ByteWriter(CHUNK_BYTES + CHUNK_BYTES / 2);
  for (let i = 0; i < items.length; ) {
    w.reset();
    w.u8(kind);
    for (; i < items.length && w.length < CHUNK_BYTES; i++) write(w, items[i] as T);
    yield w.take();
  }
  return undefined;
}

function flagsOf(s: Session, zeros: Vector): number {
  return (
    (s.user === undefined ? 0 : HAS_USER) |
    (s.will === undefined ? 0 : HAS_WILL) |
    (s.deadline === 0 ? 0 : HAS_DEADLINES) |
    (s.done === undefined ? 0 : HAS_DONE) |
    (s.unfinished === undefined ? 0 : HAS_UNFINISHED) |
    (s.durable ? IS_DURABLE : 0) |
    (s.cursors === zeros ? 0 : HAS_CURSORS) |
    (s.receiptShards === undefined ? 0 : HAS_RECEIPTS)
  );
}

function writePendingWill(w: ByteWriter, will: PendingWill): void {
  w.varint(will.incarnation);
  w.varint(will.epoch);
  writeWill(w, { record: will.record, delay: 0, expiry: will.expiry });
}
