import type { Offset, PublishBatch, Records } from "@canopy/store";
import type { Topic } from "@canopy/topic";
import type { Draft } from "./draft.ts";
import type { GatewayLink, Origin } from "./link.ts";
import type { Match } from "./match.ts";
import type { Run, Sender } from "./sender.ts";

/** Needs no disk, but may not overtake what does. */
export const PASSES = 0;
/** Is safe when the entry's append is on disk. */
export const STORED = 1;
/** Was stored before; it is only answered. */
export const REPEATED = 2;

/** Is of a batch that was given before and stored then: it is pushed and answered again. */
export const AGAIN = 3;
/** Was passed on; only its answer waits. */
export const PASSED = 4;

export type Fate = typeof PASSES | typeof STORED | typeof REPEATED | typeof AGAIN | typeof PASSED;

/** What a message costs in memory beside its record, roughly. */
export const OVERHEAD = 256;

/** A batch as it comes in. */
export interface Given {
  readonly origin: Origin;
  readonly batch: PublishBatch;
  readonly sender: Sender | undefined;
}

/** Those messages of a batch that go through the pipeline; parallel lists. */
export class Entry {
  readonly sequence: number;
  readonly origin: Origin;
  readonly batch: PublishBatch;
  /** When it was given, on the monotonic clock. */
  readonly since: number;
  /** Undefined for who never gives a batch again. */
  readonly sender: Sender | undefined;
  readonly run: Run | undefined;
  /** Under which it is decided. */
  epoch: number;
  /** The batch's, or a copy once the batch is released before the disk has answered. */
  records: Records;
  readonly indexes: number[] = [];
  readonly matches: Match[] = [];
  readonly fates: Fate[] = [];
  /** Place among the append's bodies; -1 for none. */
  readonly bodies: number[] = [];
  /** Memory that its messages hold until it is finished. */
  bytes = 0;
  draft: Draft | undefined = undefined;
  /** Offset of the append's first body. */
  first: Offset = 0;
  /** What is not in it of its batch has been passed on. */
  ready = false;
  /** The append is with the backend. */
  submitted = false;
  /** Nothing is waited for any more, but for the entries before it. */
  settled = false;
  /** Reason code if the append failed, else 0. */
  failure = 0;
  /** It waited too long: what could be was answered with an error. */
  overdue = false;
  /** Then, which messages have their answer; parallel to `indexes`. */
  answered: boolean[] | undefined = undefined;
  released = false;
  /** It is not to be answered here, as soon as it is put together. */
  isUnwanted = false;
  /** Its epoch has ended, and what was pushed before it is forgotten: nothing of it is pushed any more. */
  isOver = false;
  /** Gateways that have to acknowledge what was passed on of its batch. */
  awaited: readonly GatewayLink[] | undefined = undefined;
  /** Topics that get their first retained value here. */
  newRetained = 0;
  /** Called when the entry is finished, whatever became of it. */
  readonly waiting: (() => void)[] = [];

  constructor(sequence: number, { origin, batch, sender }: Given, since: number, epoch: number) {
    this.sequence = sequence;
    this.origin = origin;
    this.batch = batch;
    this.records = batch.records;
    this.since = since;
    this.sender = sender;
    this.run = sender?.run;
    this.epoch = epoch;
  }

  add(index: number, match: Match, qos: number, fate: Fate, body: number): void {
    if (qos === 0) match.lastAtMostOnce = this.sequence;
    else match.lastEntry = this.sequence;
    if (qos !== 0 && this.sender !== undefined) this.sender.lastEntry = this.sequence;
    const { starts, ends } = this.records;
    this.bytes += (ends[index] as number) - (starts[index] as number) + OVERHEAD;
    this.indexes.push(index);
    this.matches.push(match);
    this.fates.push(fate);
    this.bodies.push(body);
  }

  /** Nothing but the answers to these waits. */
  addPassed(indexes: readonly number[]): void {
    for (const index of indexes) {
      this.indexes.push(index);
      this.matches.push((this.records.topics[index] as Topic).routes as Match);
      this.fates.push(PASSED);
      this.bodies.push(-1);
    }
  }

  settle(failure: number): void {
    this.settled = true;
    this.failure = failure;
    if (this.sender === undefined) return;
    if (this.submitted) this.sender.settled(this.batch.seq);
    if (failure !== 0) this.sender.failed(this.batch.seq, this.run as Run);
  }

  /** Something of it may have gone to one member of a shared group, and is in no queue. */
  get isDispatched(): boolean {
    return this.matches.some(({ directGroups }) => directGroups.length > 0);
  }

  /** What it has not answered is not answered here any more: the batch has been, or will be, given again. */
  get isSuperseded(): boolean {
    return this.sender !== undefined && this.run !== this.sender.run;
  }

  isReceipted(index: number): boolean {
    return this.batch.receiptSessions[index] !== 0;
  }
}
