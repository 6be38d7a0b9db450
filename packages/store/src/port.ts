/**
 * The Store port: what a backend (LevelDB, Redis, MySQL, memory) does for one shard of messages.
 *
 * A shard is a sequence of stored messages with growing offsets. A message is stored once
 * (its body) and posted to the queues that it belongs to; a queue is an index of offsets.
 * All strings are opaque here: a queue is named by the subscription filter it serves, a retained
 * value by its topic name.
 */

/** The place of a stored message in its shard: epoch × 2³² + counter. Always below 2⁵³. */
export type Offset = number;

/** What separates the epoch from the counter in an {@link Offset}. Multiply; don't shift. */
export const OFFSETS_PER_EPOCH: number = 2 ** 32;

/** The highest epoch that still leaves offsets exact in a double. */
export const MAX_EPOCH: number = 2 ** 21 - 1;

/** The epoch under which an offset was given. */
export function epochOf(offset: Offset): number {
  return Math.floor(offset / OFFSETS_PER_EPOCH);
}

/** A retained value set or removed by an append. */
export interface RetainedChange {
  /** Topic name. */
  readonly topic: string;
  /** Index in the append's bodies; -1 removes the value. */
  readonly index: number;
}

/**
 * A receipt says "this has been stored already": the packet identifier of a QoS 2 PUBLISH of a
 * durable session, or the key of a will. It is written in the same atomic append as the message.
 */
export interface ReceiptChange {
  /** Incarnation of the session that the receipt belongs to. */
  readonly session: number;
  /** Packet identifier 1–65,535 of a PUBLISH, or 65,536 + epoch of a will. */
  readonly key: number;
  readonly add: boolean;
}

/** The last numbered batch that this shard has taken from a sender. */
export interface SenderSeq {
  /** `g<gateway incarnation>` or `s<session group>`. */
  readonly sender: string;
  /** Term of the sender; 0 for gateways, whose incarnation is in the name. */
  readonly term: number;
  /** 0 in an append: the sender will not send again, and is forgotten. */
  readonly seq: number;
}

/** One atomic write. Everything in it is on disk when the promise settles, or nothing is. */
export interface Append {
  /** Offset of the first body; the others follow by one. Must be above the shard's head. */
  readonly first: Offset;
  /** The records one behind the other, not to be changed by anybody until the promise settles. */
  readonly bodies: Uint8Array;
  /** Where each body ends in `bodies`, ascending. Its length is the number of messages. */
  readonly ends: readonly number[];
  /** Wall clock (ms) after which a body may be dropped, per body; 0 = never. */
  readonly expiries: readonly number[];
  /** Queue → indexes of its messages in `bodies`, ascending. */
  readonly postings: ReadonlyMap<string, readonly number[]>;
  /** Applied in order. A body may be both posted and retained. */
  readonly retained: readonly RetainedChange[];
  /** Applied in order. */
  readonly receipts: readonly ReceiptChange[];
  /** Sessions (incarnations) that have ended: all their receipts go. */
  readonly endedSessions: readonly number[];
  readonly senders: readonly SenderSeq[];
  /** Shared subscriptions' progress by queue, opaque; an empty value removes it. */
  readonly progress: ReadonlyMap<string, Uint8Array>;
}

export interface QueuePosition {
  readonly queue: string;
  /** Messages with an offset above this one. */
  readonly after: Offset;
}

export interface ReadLimits {
  /** At most so many messages (≥ 1). */
  readonly messages: number;
  /** Stop after the message with which the bodies reach so many bytes (one always fits). */
  readonly bytes: number;
}

export interface StoredMessage {
  readonly offset: Offset;
  /** Holds the record in `[start, end)`. Not to be changed; messages share it. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Which of the asked queues hold it: indexes into the request's list, ascending. */
  readonly queues: readonly number[];
}

/** The record alone; shares the memory. */
export function storedBody({ bytes, start, end }: StoredMessage): Buffer {
  return bytes.subarray(start, end);
}

export interface ReadResult {
  /** Ascending by offset, each once however many of the asked queues hold it. */
  readonly messages: readonly StoredMessage[];
  /**
   * Everything in the asked queues up to here has been returned: the last message's offset where
   * a limit was reached, else the last offset on disk in this shard when the read was made.
   */
  readonly upTo: Offset;
  /** Whether a limit ended the read. */
  readonly limited: boolean;
}

export interface QueueStat {
  readonly queue: string;
  readonly messages: number;
  readonly bytes: number;
  /** Offsets of the first and last message; 0 when there is none. */
  readonly first: Offset;
  readonly last: Offset;
}

export interface RetainedMessage {
  readonly topic: string;
  /** Offset under which the value was stored: a newer value has a higher one. */
  readonly offset: Offset;
  readonly body: Uint8Array;
}

export interface RetainedPage {
  readonly messages: readonly RetainedMessage[];
  /** Give this as `after` to go on: the last topic of this page. Undefined when there is no more. */
  readonly next: string | undefined;
}

/**
 * Errors are {@link StoreError}s. After `unavailable` or `full` nothing of the append has been, or
 * will be, applied unless it is given again (same first offset): a backend that can't know must
 * find out before it answers.
 */
export type StoreErrorCode =
  /** A higher epoch has opened this shard. The owner must stop. */
  | "stale-epoch"
  /** Of the port Shards: this process does not own the shard. Ask its owner. */
  | "not-owner"
  /** The backend can't be reached or failed; try again. */
  | "unavailable"
  /** No room left on the disk. */
  | "full"
  /** Stored data is damaged; the message says where. */
  | "corrupt"
  /** The shard or the store has been closed. */
  | "closed"
  /** The caller broke the contract (offset not above the head, …). */
  | "invalid";

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreError";
    this.code = code;
  }
}

/** One shard, opened under one epoch. */
export interface ShardStore {
  readonly shard: number;
  readonly epoch: number;
  /** The last offset on disk, of any epoch; 0 in a new shard. */
  readonly head: Offset;
  /**
   * Appends may be given before earlier ones have settled; they are applied in the order given,
   * and one that fails fails all that were given after it and before it settled. An append without bodies has `first` = 0.
   * A repeated append (the same first offset and content after an error) is accepted as done.
   */
  append(append: Append): Promise<void>;
  /**
   * Grows whenever appends fail, before their promises reject: who gives another one in between can
   * know that it is not among those that fail with them.
   */
  readonly failures: number;
  /** Throws `invalid` for limits below 1. A queue that isn't there is an empty queue. */
  read(queues: readonly QueuePosition[], limits: ReadLimits): Promise<ReadResult>;
  /**
   * Messages with an offset up to `upTo` leave this queue; resolves to how many were still in it.
   * May be lost in a crash.
   */
  trim(queue: string, upTo: Offset): Promise<number>;
  /**
   * As {@link trim}, of messages that somebody still wants: it is on disk before any read misses
   * what it takes out. So whoever was given what is behind that is never given it, also after a crash.
   */
  drop(queue: string, upTo: Offset): Promise<number>;
  /** The whole queue and its progress go. May be lost in a crash; then the queue is listed again. */
  remove(queue: string): Promise<void>;
  /** Stats of the given queues, in their order; of all queues if none is given. */
  stats(queues?: readonly string[]): Promise<readonly QueueStat[]>;
  /** The oldest offsets of a queue whose running totals exceed the limits: trim up to it. 0 if none. */
  excess(queue: string, limits: { messages: number; bytes: number }): Promise<Offset>;
  /**
   * Retained values whose topic matches the filter (MQTT rules, `$` topics included only where the
   * filter names them) and whose offset is at most `upTo`, in an order of topics of the backend's
   * choice that never changes. Those behind the topic `after`, which is one that a page has brought,
   * and need not be there any more. A value that changes meanwhile may come or be left out.
   */
  retained(
    filter: string,
    upTo: Offset,
    after: string | undefined,
    limits: ReadLimits,
  ): Promise<RetainedPage>;
  /** The present value of one topic. */
  retainedValue(topic: string): Promise<RetainedMessage | undefined>;
  /** How many retained values there are. */
  readonly retainedCount: number;
  /** Whether a retained value exists. Synchronous: the index of topics is in memory. */
  hasRetained(topic: string): boolean;
  /** Keys of a session's receipts, ascending. */
  receipts(session: number): Promise<readonly number[]>;
  /** Whether that receipt is on disk. Synchronous: receipts are few and kept in memory. */
  hasReceipt(session: number, key: number): boolean;
  /** Incarnations that have receipts here. */
  receiptSessions(): Promise<readonly number[]>;
  /** The last seq of a sender, if this shard has one. */
  sender(sender: string): SenderSeq | undefined;
  /** Of all senders that were not forgotten, in any order. Synchronous, as the one above. */
  senders(): Iterable<SenderSeq>;
  /** Progress of a shared subscription's queue, as last appended. */
  progress(queue: string): Promise<Uint8Array | undefined>;
  /** Waits for what is under way; later calls fail with `closed`. */
  close(): Promise<void>;
}

export interface Store {
  /** The highest epoch under which this shard was ever opened; 0 if never. */
  epoch(shard: number): Promise<number>;
  /**
   * Opens a shard. `epoch` must be above {@link epoch}; it is on disk before this returns, and
   * from then on every write of a lower epoch fails with `stale-epoch`.
   */
  open(shard: number, epoch: number): Promise<ShardStore>;
  /** Closes all shards, then the backend. */
  close(): Promise<void>;
}
