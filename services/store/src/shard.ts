import type { Clock, Logger, Timers } from "@canopy/base";
import type { PublishBatch, Records, Store } from "@canopy/store";
import type { Topic } from "@canopy/topic";
import { answer, giveUp, successOf } from "./answers.ts";
import type { Counters } from "./counters.ts";
import { Entry, PASSES, REPEATED, STORED } from "./entry.ts";
import { ExpiringRetained } from "./expiring.ts";
import type { Origin } from "./link.ts";
import type { Match } from "./match.ts";
import type { QueueLimits } from "./options.ts";
import { Owner } from "./owner.ts";
import { Pipeline } from "./pipeline.ts";
import { Planner } from "./planner.ts";
import type { Pusher } from "./push.ts";
import { type QueueState, ShardQueues } from "./queues.ts";
import { QUOTA_EXCEEDED } from "./reason.ts";
import { Receipts } from "./receipts.ts";
import { flagsOf, isRetained, qosOf } from "./record.ts";
import { RetainedChanges, type RetainedLimit } from "./retention.ts";
import { SideWrites } from "./side-writes.ts";
import type { Subscribers } from "./subscribers.ts";

export interface ShardParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly waitTimeout: number;
  readonly maxUnsettledBytes: number;
  readonly subscribers: Subscribers;
  readonly pusher: Pusher;
  readonly counters: Counters;
  readonly limit: RetainedLimit;
  readonly limits: QueueLimits;
  /** A queue grows so fast that its limits should be looked at now. */
  readonly urgent: () => void;
}

/** The owner of one shard: everything that is published to it goes through here. */
export class Shard {
  readonly number: number;
  readonly owner: Owner;
  readonly pipeline: Pipeline;
  readonly queues: ShardQueues = new ShardQueues();
  readonly receipts: Receipts = new Receipts();
  readonly changes: RetainedChanges = new RetainedChanges();
  readonly expiring: ExpiringRetained = new ExpiringRetained();
  readonly sideWrites: SideWrites;
  readonly #parts: ShardParts;
  readonly #planner: Planner;

  constructor(number: number, parts: ShardParts) {
    const { store, clock, timers, logger, waitTimeout } = parts;
    this.number = number;
    this.#parts = parts;
    const owner = new Owner(store, number, clock, logger);
    this.owner = owner;
    this.pipeline = new Pipeline({
      owner,
      clock,
      timers,
      logger,
      waitTimeout,
      finish: (entry) => this.#finish(entry),
      giveUp: (entry, reasonCode) => giveUp(entry, this.owner.epoch, reasonCode),
    });
    this.sideWrites = new SideWrites(owner);
    const { queues, receipts, changes } = this;
    const { limit, counters } = parts;
    this.#planner = new Planner({ owner, queues, receipts, changes, limit, counters });
  }

  publish(origin: Origin, batch: PublishBatch): void {
    const { subscribers, pusher } = this.#parts;
    const { records, receiptSessions } = batch;
    const { bytes, starts, topics, count } = records;
    const { finished, latest } = this.pipeline;
    let entry: Entry | undefined;
    let refused: number[] | undefined;
    let groups = false;
    let answers = false;
    for (let i = 0; i < count; i++) {
      const match = subscribers.match(topics[i] as Topic, latest);
      const flags = flagsOf(bytes, starts[i] as number);
      if (isRetained(flags) || receiptSessions[i] !== 0 || mustWait(match, flags, finished)) {
        entry ??= this.#begin(origin, batch);
        if (this.#planner.add(entry, i, match, this.#room)) continue;
        if (!this.#mayPass(match, flags)) {
          (refused ??= []).push(i);
          continue;
        }
      }
      pusher.add(match, i, 0);
      groups ||= match.hasGroups;
      answers ||= qosOf(flags) !== 0;
    }
    // The backend begins before anybody is told of what does not wait for it.
    if (entry !== undefined) this.pipeline.add(entry);
    this.#parts.pusher.flush(batch, this.owner.epoch, records);
    if (answers || groups || refused !== undefined) {
      this.#passOn(origin, batch, entry?.indexes, refused, groups);
    }
    if (entry !== undefined) this.pipeline.ready(entry);
    else if (!origin.closed) origin.released(batch);
  }

  async close(): Promise<void> {
    this.pipeline.stop();
    await this.sideWrites.idle();
    await this.owner.close();
  }

  #begin(origin: Origin, batch: PublishBatch): Entry {
    return new Entry(this.pipeline.nextSequence(), origin, batch, this.#parts.clock.now());
  }

  get #room(): number {
    return this.#parts.maxUnsettledBytes - this.pipeline.bytes;
  }

  /** There is no room to store a message: QoS 0 goes on if it does not overtake another. */
  #mayPass(match: Match, flags: number): boolean {
    if (qosOf(flags) !== 0) return false;
    if (isRetained(flags)) this.#parts.counters.notRetained++;
    return match.lastAtMostOnce <= this.pipeline.finished;
  }

  /** Dispatches and answers what waits for nothing: neither in the entry nor refused. */
  #passOn(
    origin: Origin,
    batch: PublishBatch,
    waits: readonly number[] | undefined,
    refused: readonly number[] | undefined,
    groups: boolean,
  ): void {
    const { records } = batch;
    let nextWaiting = 0;
    let nextRefused = 0;
    const { epoch } = this.owner;
    for (let i = 0; i < records.count; i++) {
      if (waits !== undefined && waits[nextWaiting] === i) {
        nextWaiting++;
        continue;
      }
      const qos = qosAt(records, i);
      if (refused !== undefined && refused[nextRefused] === i) {
        nextRefused++;
        this.#refuse(origin, batch, i, qos);
        continue;
      }
      const match = (records.topics[i] as Topic).routes as Match;
      if (groups && match.hasGroups) this.#dispatch(match, records, i, qos, 0);
      if (qos !== 0 && !origin.closed) origin.answered(batch, i, successOf(match), epoch);
    }
  }

  #refuse(origin: Origin, batch: PublishBatch, index: number, qos: number): void {
    if (qos === 0) this.#parts.counters.refused++;
    else if (!origin.closed) origin.answered(batch, index, QUOTA_EXCEEDED, this.owner.epoch);
  }

  /** What the entry waited for is decided. */
  #finish(entry: Entry): void {
    const { records, indexes, matches } = entry;
    this.#settleDraft(entry);
    let groups = false;
    for (let i = 0; i < indexes.length; i++) {
      if (!this.#isSent(entry, i)) continue;
      const match = matches[i] as Match;
      groups ||= match.hasGroups;
      this.#parts.pusher.add(match, indexes[i] as number, offsetOf(entry, i));
    }
    this.#parts.pusher.flush(entry.batch, this.owner.epoch, records);
    if (groups) this.#dispatchEntry(entry);
    const hasReceipt = (session: number, key: number): boolean =>
      this.owner.known?.hasReceipt(session, key) ?? false;
    answer(entry, this.owner.epoch, hasReceipt);
  }

  /** Of what could not be stored only QoS 0 goes on. */
  #isSent(entry: Entry, i: number): boolean {
    const fate = entry.fates[i];
    if (fate === PASSES || (fate === STORED && entry.failure === 0)) return true;
    if (fate !== STORED) return false;
    return qosAt(entry.records, entry.indexes[i] as number) === 0;
  }

  #settleDraft(entry: Entry): void {
    const { draft, failure } = entry;
    if (draft === undefined) return;
    const { counters, limit } = this.#parts;
    draft.forEachRetained((topic, expiresAt) => {
      this.changes.ended(topic);
      if (failure === 0) this.expiring.set(topic, expiresAt);
    });
    for (const posting of draft.postings) {
      this.queues.settled(posting, failure === 0);
      this.#watchLimits(posting.state);
    }
    draft.forEachReceipt((session, key) => this.receipts.ended(session, key));
    if (entry.newRetained > 0) limit.settled(entry.newRetained);
    if (failure === 0) counters.storedMessages += draft.count;
    else counters.notRetained += this.#unretained(entry);
  }

  /** So that between two maintenance passes a queue goes beyond its limits by a part of them only. */
  #watchLimits(state: QueueState): void {
    const { limits, urgent } = this.#parts;
    const isFull = state.bytes > limits.maxQueuedBytes || state.messages > limits.maxQueuedMessages;
    const isFast =
      state.fresh > limits.maxQueuedBytes / 16 ||
      state.freshMessages > limits.maxQueuedMessages / 16;
    if (isFull && isFast) urgent();
  }

  /** QoS 0 messages that were to be retained and are only sent. */
  #unretained(entry: Entry): number {
    let count = 0;
    for (let i = 0; i < entry.indexes.length; i++) {
      if (entry.fates[i] === STORED && this.#isSent(entry, i)) count++;
    }
    return count;
  }

  #dispatchEntry(entry: Entry): void {
    const { records, indexes, matches } = entry;
    for (let i = 0; i < indexes.length; i++) {
      const match = matches[i] as Match;
      if (!match.hasGroups || entry.fates[i] === REPEATED || !this.#isSent(entry, i)) continue;
      const index = indexes[i] as number;
      this.#dispatch(match, records, index, qosAt(records, index), offsetOf(entry, i));
    }
  }

  #dispatch(match: Match, records: Records, index: number, qos: number, offset: number): void {
    for (const group of match.directGroups) group.direct(this.number, records, index, qos);
    for (const group of match.queuedGroups) {
      if (offset === 0) group.direct(this.number, records, index, qos);
      else group.stored(this.number, records, index, offset);
    }
  }
}

/** It is posted, or behind a message of its topic that waits for the disk. */
function mustWait(match: Match, flags: number, finished: number): boolean {
  if (qosOf(flags) === 0) return match.lastAtMostOnce > finished;
  return match.queues.length !== 0 || match.lastEntry > finished;
}

/**
 * Only what is posted to queues has an offset for others: a message that is stored for another
 * reason (retained) is in no queue, so its readers can't find it there later.
 */
function offsetOf(entry: Entry, i: number): number {
  const match = entry.matches[i] as Match;
  if (entry.failure !== 0 || match.queues.length === 0) return 0;
  const body = entry.bodies[i] as number;
  const isPosted = body >= 0 && qosAt(entry.records, entry.indexes[i] as number) !== 0;
  return isPosted ? entry.first + body : 0;
}

function qosAt(records: Records, index: number): number {
  return qosOf(flagsOf(records.bytes, records.starts[index] as number));
}
