/**
 * The whole state in chunks, as it was at one moment, while commands go on being applied.
 *
 * What is small is encoded at that moment. Sessions follow one by one; one that is about to change
 * before its turn is encoded first. So nothing is copied, and a snapshot costs a session that
 * changes meanwhile nothing but its place in the order.
 *
 * Chunks are whole in themselves: 1 = header, 2 = sessions, 3 = end with the number of sessions.
 */
import { ByteWriter } from "@canopy/base";
import type { PendingWill } from "./effects.ts";
import { writeUnfinished, writeVector, writeWill } from "./encode-values.ts";
import type { Filter, HeldSubscription, Session, Vector } from "./session.ts";
import type { Tables } from "./tables.ts";

/** Raised when the meaning of the bytes changes; a reader refuses newer ones. */
export const SNAPSHOT_VERSION = 1;

export const HEADER_CHUNK = 1;
export const SESSIONS_CHUNK = 2;
export const END_CHUNK = 3;

/** What a session has, in its first byte. */
export const HAS_USER = 1;
export const HAS_WILL = 2;
export const HAS_DEADLINES = 4;
export const HAS_DONE = 8;
export const HAS_UNFINISHED = 16;
export const IS_DURABLE = 32;
export const HAS_CURSORS = 64;

/** What a subscription has, in its first byte. */
export const IS_QUEUED = 1;
export const IS_DRAINING = 2;
export const HAS_RETAINED = 4;

const CHUNK_BYTES = 64 * 1024;

// Distinguishes snapshots in Session.snapshot; it is not part of the state.
let snapshots = 0;

export class Snapshot implements IterableIterator<Uint8Array> {
  readonly #tables: Tables;
  readonly #id = ++snapshots;
  /** Sessions made later are not part of it. */
  readonly #last: number;
  readonly #sessions: Iterator<Session>;
  readonly #w = new ByteWriter(CHUNK_BYTES + CHUNK_BYTES / 2);
  readonly #filters = new Map<Filter, number>();
  readonly #vectors = new Map<Vector, number>();
  #count = 0;
  readonly #header: Uint8Array;
  #stage: "header" | "sessions" | "end" | "closed" = "header";

  constructor(tables: Tables) {
    if (tables.beforeChange !== undefined) throw new Error("a snapshot is being taken already");
    this.#tables = tables;
    this.#last = tables.lastIncarnation;
    this.#sessions = tables.sessions.values();
    this.#vectors.set(tables.zeros, 0);
    this.#writeHeader();
    // A session may change before the first chunk is asked for: it goes with the second.
    this.#header = this.#chunk();
    tables.beforeChange = (session) => this.#encode(session);
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Uint8Array, undefined> {
    if (this.#stage === "closed") return { done: true, value: undefined };
    if (this.#stage === "header") {
      this.#stage = "sessions";
      return { done: false, value: this.#header };
    }
    if (this.#stage === "sessions" && this.#fill()) return { done: false, value: this.#chunk() };
    this.#stage = "end";
    this.#w.reset();
    this.#w.u8(END_CHUNK);
    this.#w.varint(this.#count);
    const value = this.#w.take();
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
    // What changes between chunks is written behind this.
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

  #writeHeader(): void {
    const w = this.#w;
    const t = this.#tables;
    w.u8(HEADER_CHUNK);
    w.u8(SNAPSHOT_VERSION);
    w.varint(t.shards);
    w.varint(t.clock);
    w.varint(t.lastIncarnation);
    w.varint(t.lastGateway);
    writeVector(w, [...t.gateways]);
    writeVector(w, [...t.ended]);
    w.varint(t.wills.size);
    for (const will of t.wills.values()) writePendingWill(w, will);
  }

  #writeSession(s: Session): void {
    const w = this.#w;
    w.u8(flagsOf(s, this.#tables.zeros));
    w.string(s.clientId);
    w.varint(s.incarnation);
    w.varint(s.epoch);
    w.varint(s.gateway);
    w.varint(s.expiry);
    if (s.user !== undefined) w.string(s.user);
    if (s.will !== undefined) writeWill(w, s.will);
    if (s.deadline !== 0) {
      w.varint(s.willAt);
      w.varint(s.expiresAt);
    }
    if (s.cursors !== this.#tables.zeros) this.#writeVector(s.cursors);
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
  }

  #writeSubscription(held: HeldSubscription): void {
    const w = this.#w;
    w.u8(
      (held.queued ? IS_QUEUED : 0) |
        (held.draining ? IS_DRAINING : 0) |
        (held.retainedUpTo === undefined ? 0 : HAS_RETAINED),
    );
    this.#writeFilter(held.filter);
    w.u8(held.options);
    w.varint(held.identifier);
    this.#writeVector(held.starts);
    if (held.retainedUpTo !== undefined) this.#writeVector(held.retainedUpTo);
  }

  /** 0 and the name of one that nobody else has, or that comes for the first time; else its number. */
  #writeFilter(filter: Filter): void {
    const known = this.#filters.get(filter);
    if (known !== undefined) {
      this.#w.varint(known);
      return;
    }
    const isShared = filter.members.length > 1;
    this.#w.varint(0);
    this.#w.bool(isShared);
    this.#w.string(filter.name);
    if (isShared) this.#filters.set(filter, this.#filters.size + 1);
  }

  /** Its number, 0 being all zeros; one that comes for the first time follows its number. */
  #writeVector(vector: Vector): void {
    const known = this.#vectors.get(vector);
    if (known !== undefined) {
      this.#w.varint(known);
      return;
    }
    this.#w.varint(this.#vectors.size);
    writeVector(this.#w, vector);
    this.#vectors.set(vector, this.#vectors.size);
  }
}

function flagsOf(s: Session, zeros: Vector): number {
  return (
    (s.user === undefined ? 0 : HAS_USER) |
    (s.will === undefined ? 0 : HAS_WILL) |
    (s.deadline === 0 ? 0 : HAS_DEADLINES) |
    (s.done === undefined ? 0 : HAS_DONE) |
    (s.unfinished === undefined ? 0 : HAS_UNFINISHED) |
    (s.durable ? IS_DURABLE : 0) |
    (s.cursors === zeros ? 0 : HAS_CURSORS)
  );
}

function writePendingWill(w: ByteWriter, will: PendingWill): void {
  w.varint(will.incarnation);
  w.varint(will.epoch);
  writeWill(w, { record: will.record, delay: 0, expiry: will.expiry });
}
