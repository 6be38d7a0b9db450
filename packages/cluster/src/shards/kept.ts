import type { PublishBatch, Records } from "@canopy/store";
import type { Lane } from "./lane.ts";
import { isReceipted, isTakenOut, NO_RECORDS, only, qosOf } from "./records.ts";

/** What becomes of a message. */
const OVER = 0;
/** QoS 0: given once, with its batch. */
const UNACKNOWLEDGED = 1;
/** Waits for its answer. */
const OPEN = 2;
/** … and nobody waits for that. */
const WITHDRAWN = 3;
/**
 * It was withdrawn and has its answer, but may be stored, and its client may be told so by the receipt: the
 * next owner is given it once more, to be pushed where it is stored.
 */
const LEFT = 4;

/** A store process that is given one shard's batches under one epoch. */
export interface Run {
  readonly store: number;
  readonly epoch: number;
}

/** A batch of the gateway, from its publish() until it and all before it are answered. */
export class Kept {
  readonly seq: number;
  /** When it came, monotonic ms. */
  readonly since: number;
  /** Undefined once the gateway has it back. */
  batch: PublishBatch | undefined;
  /** Messages of QoS ≥ 1 without an answer. */
  open = 0;
  /** Messages that an owner is still to be given, beside these. */
  left = 0;
  /** How often it was given to a store process. */
  givings = 0;
  /** Store processes that may use its buffers. */
  holders = 0;
  /** To whom it was given last. */
  lastRun: Run | undefined = undefined;
  readonly #states: Uint8Array;
  /** QoS 0 that was not given yet. */
  #unacknowledged = 0;

  constructor(batch: PublishBatch, now: number) {
    this.seq = batch.seq;
    this.since = now;
    this.batch = batch;
    const { records } = batch;
    const { bytes, starts, count } = records;
    this.#states = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      if (isTakenOut(records, i)) continue;
      const isQos0 = qosOf(bytes, starts[i] as number) === 0;
      this.#states[i] = isQos0 ? UNACKNOWLEDGED : OPEN;
      if (isQos0) this.#unacknowledged++;
      else this.open++;
    }
  }

  get count(): number {
    return this.#states.length;
  }

  isOpen(index: number): boolean {
    const state = this.#states[index];
    return state === OPEN || state === WITHDRAWN;
  }

  isWithdrawn(index: number): boolean {
    return this.#states[index] === WITHDRAWN;
  }

  withdraw(index: number): void {
    if (this.isOpen(index)) this.#states[index] = WITHDRAWN;
  }

  isLeft(index: number): boolean {
    return this.#states[index] === LEFT;
  }

  /** The message has its answer. */
  close(index: number): void {
    if (this.isLeft(index)) this.left--;
    else this.open--;
    this.#states[index] = OVER;
  }

  /** The gateway has an answer to what it has withdrawn. */
  leave(index: number): void {
    const { batch } = this;
    const mayBeStored = this.givings > 0 && batch !== undefined && isReceipted(batch, index);
    this.close(index);
    if (!mayBeStored) return;
    this.#states[index] = LEFT;
    this.left++;
  }

  /** What can't be given now never will be; returns how many messages that are. */
  dropUnacknowledged(): number {
    const dropped = this.#unacknowledged;
    this.#unacknowledged = 0;
    for (let i = 0; dropped > 0 && i < this.count; i++) {
      if (this.#states[i] === UNACKNOWLEDGED) this.#states[i] = OVER;
    }
    return dropped;
  }

  /**
   * Its sender would take an error for "not stored", and a store process that had it before `givings`
   * may have stored it.
   */
  isProtected(index: number, givings: number): boolean {
    if (givings === 0 || this.batch === undefined || this.isWithdrawn(index)) return false;
    return isReceipted(this.batch, index);
  }

  /** Those of the batch, without those of messages that are only left. */
  receiptKeys(): readonly number[] {
    const keys = this.batch?.receiptKeys ?? [];
    return this.left === 0 ? keys : keys.map((key, i) => (this.isLeft(i) ? 0 : key));
  }

  /** For a store process: the whole, or what is still without an answer. */
  toGive(): Records {
    const { batch } = this;
    if (batch === undefined) return NO_RECORDS;
    const isFirst = this.givings === 0;
    if (isFirst && this.open + this.#unacknowledged === this.count) return batch.records;
    const least = isFirst ? UNACKNOWLEDGED : OPEN;
    return only(batch.records, (i) => (this.#states[i] as number) >= least);
  }
}

/** A batch as it is given to one store process. */
export class Given implements PublishBatch {
  readonly shard: number;
  readonly gateway: number;
  readonly seq: number;
  readonly records: Records;
  readonly receiptSessions: readonly number[];
  readonly receiptKeys: readonly number[];
  readonly lane: Lane;
  readonly kept: Kept;
  readonly run: Run;

  constructor(lane: Lane, gateway: number, kept: Kept, run: Run) {
    this.lane = lane;
    this.kept = kept;
    this.run = run;
    this.shard = lane.shard;
    this.gateway = gateway;
    this.seq = kept.seq;
    this.records = kept.toGive();
    this.receiptSessions = kept.batch?.receiptSessions ?? [];
    this.receiptKeys = kept.receiptKeys();
    kept.givings++;
    kept.holders++;
    kept.lastRun = run;
  }
}
