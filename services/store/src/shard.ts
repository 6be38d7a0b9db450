/* oxlint-disable max-lines -- what becomes of a batch from publish() to its answer is in one place */
import type { Clock, Logger, Timers } from "@canopy/base";
import { type NotTaken, type PublishBatch, type Records, type Store } from "@canopy/store";
import type { Topic } from "@canopy/topic";
import { answer, answerFailed, giveUp, handBack, successOf } from "./answers.ts";
import { AGAIN, Entry, type Given, OVERHEAD } from "./entry.ts";
import { ExpiringRetained } from "./expiring.ts";
import { Held } from "./held.ts";
import type { GatewayLink, Origin } from "./link.ts";
import { type Match, mustWait } from "./match.ts";
import { Owner } from "./owner.ts";
import { Pipeline } from "./pipeline.ts";
import { Planner } from "./planner.ts";
import type { Pusher } from "./push.ts";
import { pushAgain } from "./push-again.ts";
import { ShardQueues } from "./queues.ts";
import { QUOTA_EXCEEDED, UNSPECIFIED_ERROR } from "./reason.ts";
import { Receipts } from "./receipts.ts";
import { flagsOf, isRetained, qosOf } from "./record.ts";
import { answerLeft, decline, refuseAll } from "./refusing.ts";
import { RetainedChanges } from "./retention.ts";
import { Sender, senderName } from "./sender.ts";
import {
  dispatch,
  dispatchEntry,
  isLeftOut,
  isSent,
  isTakenOut,
  type Late,
  offsetOf,
  qosAt,
} from "./sent.ts";
import { type SettlingParts, settleDraft } from "./settling.ts";
import { SideWrites } from "./side-writes.ts";
import type { Subscribers } from "./subscribers.ts";
import { WaitingBatches } from "./waiting.ts";

export interface ShardParts extends SettlingParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly waitTimeout: number;
  readonly maxUnsettledBytes: number;
  readonly subscribers: Subscribers;
  readonly pusher: Pusher;
  /** Asks for ownership of the shard under an epoch above this one. */
  readonly ask: (shard: number, above: number) => Promise<void>;
  /** Whether this process's own lease holds: past it nothing is taken, and nothing answered. */
  readonly valid: () => boolean;
}

/** The owner of one shard: everything that is published to it goes through here. */
export class Shard {
  readonly number: number;
  readonly owner: Owner;
  readonly pipeline: Pipeline;
  // What is known of its contents; made anew when it was lost.
  queues: ShardQueues = new ShardQueues();
  receipts: Receipts = new Receipts();
  changes: RetainedChanges = new RetainedChanges();
  expiring: ExpiringRetained = new ExpiringRetained();
  readonly sideWrites: SideWrites;
  readonly #parts: ShardParts;
  readonly #planner: Planner;
  readonly #held: Held;
  readonly #waiting: WaitingBatches;
  /** Gateways that give batches again. */
  readonly #senders = new Map<number, Sender>();
  /** It has accepted batches since it was lost the last time. */
  #isReady = false;
  /** Batches that were resumed to this epoch are accepted; 0: none are. */
  #accepts = 0;
  /** The highest epoch that this process has heard of as its own. */
  #highest = 0;
  #losing: Promise<void> | undefined;

  constructor(number: number, parts: ShardParts) {
    const { store, clock, timers, logger, waitTimeout, ask } = parts;
    this.number = number;
    this.#parts = parts;
    this.owner = new Owner({
      backend: store,
      shard: number,
      clock,
      logger,
      ask: (above) => ask(number, above),
    });
    this.owner.lost = () => {
      this.#accepts = 0;
      this.#handAllBack((entry) => entry.sender !== undefined);
    };
    this.pipeline = new Pipeline({
      owner: this.owner,
      clock,
      timers,
      logger,
      waitTimeout,
      finish: (entry) => this.#finish(entry),
      giveUp,
    });
    this.#held = new Held({
      clock,
      timers,
      waitTimeout,
      answer: (entry) => this.#answer(entry),
      giveUp: (entry) => giveUp(entry, UNSPECIFIED_ERROR),
      again: (entry) => this.#handBack(entry, "after-error"),
    });
    this.#waiting = new WaitingBatches({
      clock,
      timers,
      waitTimeout,
      maxBytes: parts.maxUnsettledBytes,
      giveUp: (given) => {
        given.sender?.run.stop(given.batch.seq - 1);
        this.#decline(given, "not-owner", UNSPECIFIED_ERROR);
      },
    });
    this.sideWrites = new SideWrites(this.owner);
    this.#planner = new Planner(this, parts.limit, parts.counters);
  }

  // --- ownership --------------------------------------------------------------------------------

  /** This process owns the shard under the epoch; batches wait until {@link Shard.ready}. */
  own(epoch: number): void {
    this.#highest = epoch;
    this.#accepts = 0;
    this.owner.own(epoch);
    for (const given of this.#waiting.take(({ sender }) => this.#isOver(sender))) {
      this.#decline(given, "not-owner", UNSPECIFIED_ERROR);
    }
  }

  /** Nothing is accepted until {@link Shard.ready}, from nobody. */
  pause(): void {
    this.#isReady = false;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Batches are accepted. */
  ready(epoch: number): void {
    this.#isReady = true;
    this.#accepts = epoch;
    const store = this.owner.known;
    if (store !== undefined) {
      for (const sender of this.#senders.values()) if (sender.epoch === epoch) sender.learn(store);
    }
    for (const { origin, batch, sender } of this.#waiting.take()) {
      this.publish(origin, batch, sender);
    }
  }

  /** Settles when nothing of the shard is under way any more. Whoever gave a batch gives it to the next owner. */
  lose(): Promise<void> {
    this.#isReady = false;
    this.#accepts = 0;
    const closed = this.owner.lose();
    this.#handAllBack(() => true);
    for (const given of this.#waiting.take()) this.#decline(given, "not-owner", UNSPECIFIED_ERROR);
    this.#losing = closed
      .then(() => this.pipeline.barrier())
      .catch((error: unknown) => {
        this.#parts.logger.warn({ err: error, shard: this.number }, "a shard could not be closed");
      })
      .then(() => {
        this.queues = new ShardQueues();
        this.receipts = new Receipts();
        this.changes = new RetainedChanges();
        this.expiring = new ExpiringRetained();
      });
    return this.#losing;
  }

  /** Settles when what it was before it was lost has ended. */
  async lost(): Promise<void> {
    await this.#losing;
  }

  async close(): Promise<void> {
    this.pipeline.stop();
    this.#held.stop();
    this.#waiting.stop();
    await this.sideWrites.idle();
    await this.owner.close();
  }

  // --- gateways ---------------------------------------------------------------------------------

  /** See {@link Shards.resume}. */
  resume(link: GatewayLink, epoch: number, seq: number): void {
    let sender = this.#senders.get(link.gateway);
    if (sender === undefined) {
      sender = new Sender(link.gateway);
      this.#senders.set(link.gateway, sender);
    }
    link.senders[this.number] = sender;
    sender.resume(epoch, seq);
    const store = this.owner.known;
    if (epoch === this.#accepts && store !== undefined) sender.learn(store);
    this.#handAllBack(
      (entry) => entry.sender === sender && entry.isSuperseded,
      (entry) => entry.epoch === epoch,
    );
    for (const given of this.#waiting.take((other) => other.sender === sender)) {
      this.#decline(given, "not-owner", UNSPECIFIED_ERROR);
    }
  }

  /** To the present attachment of a gateway, what earlier ones were pushed and have not acknowledged. */
  pushAgain(link: GatewayLink): void {
    pushAgain(this.#parts.pusher, link, this.#held.entries, this.pipeline.entries);
  }

  /** A gateway is down for good: its numbers are not needed any more. */
  forget(gateway: number): void {
    this.#senders.delete(gateway);
    const name = senderName(gateway);
    if (this.owner.known?.sender(name) === undefined) return;
    // One that stays is found when the shard is opened next.
    this.sideWrites.forgetSender(name).catch(() => {});
  }

  // --- publishing -------------------------------------------------------------------------------

  /** `sender`: of a gateway that gives batches again. */
  publish(origin: Origin, batch: PublishBatch, sender?: Sender): void {
    if (sender === undefined ? !this.#isReady : sender.epoch !== this.#accepts) {
      this.#wait({ origin, batch, sender });
    } else if (sender === undefined) {
      this.#take(origin, batch, undefined);
    } else {
      const refusal = this.#refusalOf(sender, batch);
      if (refusal !== undefined) {
        sender.run.stop(batch.seq - 1);
        this.#decline({ origin, batch, sender }, refusal, UNSPECIFIED_ERROR);
        return;
      }
      sender.next++;
      if (sender.isRepeated(batch.seq)) this.#takeAgain(origin, batch, sender);
      else if (this.#hasRoomFor(batch.records)) {
        answerLeft({ origin, batch, sender }, this.owner.epoch);
        this.#take(origin, batch, sender);
      } else this.#refuseAll({ origin, batch, sender });
    }
  }

  #wait(given: Given): void {
    if (!this.#isOver(given.sender) && this.#waiting.add(given)) return;
    given.sender?.run.stop(given.batch.seq - 1);
    this.#decline(given, "not-owner", QUOTA_EXCEEDED);
  }

  /** What was resumed to will not come (again). */
  #isOver(sender: Sender | undefined): boolean {
    if (sender === undefined) return false;
    return this.owner.assigned === 0
      ? sender.epoch <= this.#highest
      : sender.epoch < this.owner.assigned;
  }

  #refusalOf(sender: Sender, { seq }: PublishBatch): NotTaken | undefined {
    if (!this.#parts.valid()) return "not-owner";
    if (sender.run.isStopped) return "after-error";
    return seq === sender.next ? undefined : "gap";
  }

  #take(origin: Origin, batch: PublishBatch, sender: Sender | undefined): void {
    const { subscribers, pusher } = this.#parts;
    const { records, receiptSessions } = batch;
    const { bytes, starts, topics, count } = records;
    const { finished, latest } = this.pipeline;
    let entry: Entry | undefined;
    let refused: number[] | undefined;
    let groups = false;
    let answers = false;
    for (let i = 0; i < count; i++) {
      if (sender !== undefined && isLeftOut(batch, i)) continue;
      const match = subscribers.match(topics[i] as Topic, latest);
      const flags = flagsOf(bytes, starts[i] as number);
      if (
        isRetained(flags) ||
        receiptSessions[i] !== 0 ||
        mustWait(match, flags, finished) ||
        (sender !== undefined && qosOf(flags) !== 0 && sender.lastEntry > finished)
      ) {
        entry ??= this.#begin({ origin, batch, sender });
        if (this.#planner.add(entry, i, match, this.#room)) continue;
        if (!this.#mayPass(match, flags)) {
          (refused ??= []).push(i);
          continue;
        }
      }
      const qos = qosOf(flags);
      pusher.add(match, i, qos, 0);
      groups ||= match.hasGroups;
      answers ||= qos !== 0;
    }
    // The backend begins before anybody is told of what does not wait for it.
    if (entry !== undefined) this.pipeline.add(entry);
    const links = pusher.flush(batch, this.owner.epoch, records);
    let late: Late | undefined = links && { indexes: [], links };
    if (answers || groups || refused !== undefined) {
      late = this.#passOn(origin, batch, entry?.indexes, refused, groups, late);
    }
    if (entry !== undefined || (late !== undefined && late.indexes.length > 0)) {
      this.#conclude({ origin, batch, sender }, entry, late);
    } else if (!origin.closed) origin.released(batch);
  }

  /** What is in no entry has been passed on, and answered but for what is late. */
  #conclude(given: Given, entry: Entry | undefined, late: Late | undefined): void {
    if (late !== undefined && late.indexes.length > 0) {
      const waiting = entry ?? this.#begin(given, 0);
      waiting.addPassed(late.indexes);
      if (entry === undefined) {
        this.#hold(waiting, late.links);
        return;
      }
      entry.awaited = late.links;
    }
    if (entry === undefined) return;
    if (entry.isUnwanted) handBack(entry, "not-owner");
    this.pipeline.ready(entry);
  }

  /** A batch that is stored, or on its way: its messages are pushed and answered once more. */
  #takeAgain(origin: Origin, batch: PublishBatch, sender: Sender): void {
    const { records } = batch;
    const entry = this.#begin({ origin, batch, sender });
    for (let i = 0; i < records.count; i++) {
      if (isTakenOut(records, i) || qosAt(records, i) === 0) continue;
      const match = this.#parts.subscribers.match(records.topics[i] as Topic, this.pipeline.latest);
      entry.add(i, match, qosAt(records, i), AGAIN, -1);
    }
    this.pipeline.add(entry);
    this.pipeline.ready(entry);
  }

  #begin(given: Given, sequence: number = this.pipeline.nextSequence()): Entry {
    return new Entry(sequence, given, this.#parts.clock.now(), this.owner.epoch);
  }

  get #room(): number {
    return this.#parts.maxUnsettledBytes - this.pipeline.bytes - this.#held.bytes;
  }

  /** For all of it, as nothing of a batch may be stored behind a message that was refused. */
  #hasRoomFor({ length, count }: Records): boolean {
    return length + count * OVERHEAD <= this.#room;
  }

  /** There is no room to store a message: QoS 0 goes on if it does not overtake another. */
  #mayPass(match: Match, flags: number): boolean {
    if (qosOf(flags) !== 0) return false;
    if (isRetained(flags)) this.#parts.counters.notRetained++;
    return match.lastAtMostOnce <= this.pipeline.finished;
  }

  /**
   * Dispatches and answers what waits for nothing: neither in the entry nor refused. Returns what is
   * not answered as somebody has to acknowledge it.
   */
  #passOn(
    origin: Origin,
    batch: PublishBatch,
    waits: readonly number[] | undefined,
    refused: readonly number[] | undefined,
    groups: boolean,
    late: Late | undefined,
  ): Late | undefined {
    const { records } = batch;
    let nextWaiting = 0;
    let nextRefused = 0;
    for (let i = 0; i < records.count; i++) {
      if (isLeftOut(batch, i)) continue;
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
      if (groups && match.hasGroups) {
        const links = dispatch(match, this.number, records, i, 0, late?.links);
        if (links !== undefined) late ??= { indexes: [], links };
      }
      if (qos === 0) continue;
      if (late !== undefined) late.indexes.push(i);
      else if (!origin.closed) origin.answered(batch, i, successOf(match), this.owner.epoch);
    }
    return late;
  }

  #refuse(origin: Origin, batch: PublishBatch, index: number, qos: number): void {
    if (qos === 0) this.#parts.counters.refused++;
    else if (!origin.closed) origin.answered(batch, index, QUOTA_EXCEEDED, this.owner.epoch);
  }

  /** Everything that has to be answered is refused; QoS 0 goes on where it overtakes nothing. */
  #refuseAll(given: Given): void {
    given.sender?.run.stop(given.batch.seq);
    refuseAll(given, this.#parts, {
      epoch: this.owner.epoch,
      latest: this.pipeline.latest,
      mayPass: (match, flags) => this.#mayPass(match, flags),
    });
  }

  /** Nothing was done with a batch. Who never gives one again is answered. */
  #decline(given: Given, reason: NotTaken, reasonCode: number): void {
    decline(given, { reason, reasonCode, epoch: this.owner.epoch }, this.#parts.counters);
  }

  // --- after the disk ---------------------------------------------------------------------------

  /** What the entry waited for is decided. */
  #finish(entry: Entry): void {
    const { records, indexes, matches } = entry;
    settleDraft(entry, this, this.#parts);
    if (entry.isOver || !this.#isInTurn(entry)) return;
    const { sender } = entry;
    if (sender !== undefined && !entry.isSuperseded) this.#held.pushedAgain(sender);
    let groups = false;
    for (let i = 0; i < indexes.length; i++) {
      if (!isSent(entry, i)) continue;
      const match = matches[i] as Match;
      const index = indexes[i] as number;
      groups ||= match.hasGroups;
      this.#parts.pusher.add(match, index, qosAt(records, index), offsetOf(entry, i));
    }
    let links = this.#parts.pusher.flush(entry.batch, entry.epoch, records);
    if (groups) links = dispatchEntry(entry, this.number, links);
    const awaited = entry.isDispatched
      ? entry.awaited
      : entry.awaited?.map(({ present }) => present);
    if (awaited?.some(({ isBehind }) => isBehind) === true) {
      links = links === undefined ? [...awaited] : links.concat(awaited);
    }
    if (links === undefined) this.#answer(entry);
    else this.#hold(entry, links);
  }

  /**
   * False for what is not sent now, as something before it, or itself, was not stored and will come
   * again. What nobody waits for any more is sent all the same: what is behind it may be, and it would
   * be too late then when it comes again.
   */
  #isInTurn(entry: Entry): boolean {
    const { sender, run, draft, batch } = entry;
    if (sender === undefined || draft !== undefined) return true;
    const { known } = this.owner;
    const isMissing =
      entry.fates[0] === AGAIN && (known === undefined || sender.storedIn(known) < batch.seq);
    if (!isMissing && run?.isAfterError(batch.seq) !== true) return true;
    run?.stop(batch.seq - 1);
    handBack(entry, "after-error");
    return false;
  }

  #hold(entry: Entry, links: readonly GatewayLink[]): void {
    answerFailed(entry);
    const { sender, released, origin, epoch, isSuperseded } = entry;
    // One that comes again is pushed again behind this: who is attached meanwhile needs it before.
    const comesAgain = sender !== undefined && epoch === this.owner.epoch;
    if (released ? !(comesAgain && isSuperseded) : origin.closed && !comesAgain) return;
    if (comesAgain && !isSuperseded) this.#held.pushedAgain(sender);
    this.#held.hold(entry, links);
    if (isSuperseded) this.#held.supersede(entry);
  }

  #answer(entry: Entry): void {
    // Past the lease the next owner may have begun. What was pushed carries the epoch, and harms nobody.
    if (!this.#parts.valid()) this.#handBack(entry, "not-owner");
    else answer(entry, (session, key) => this.owner.known?.hasReceipt(session, key) ?? false);
  }

  #handBack(entry: Entry, reason: NotTaken): void {
    entry.run?.end();
    handBack(entry, reason);
  }

  /** What is under way goes on, but is not answered; what the backend has not been given fails. */
  #handAllBack(
    isMeant: (entry: Entry) => boolean,
    isKept: (entry: Entry) => boolean = () => false,
  ): void {
    for (const entry of this.pipeline.entries) {
      if (!isMeant(entry)) continue;
      if (!entry.submitted && !entry.settled) entry.settle(UNSPECIFIED_ERROR);
      entry.isOver ||= !isKept(entry);
      // One that is being put together still needs its records.
      if (entry.ready) handBack(entry, "not-owner");
      else entry.isUnwanted = true;
    }
    for (const entry of this.#held.entries) {
      if (!isMeant(entry)) continue;
      if (isKept(entry)) this.#held.supersede(entry);
      else this.#held.drop(entry);
      handBack(entry, "not-owner");
    }
    this.pipeline.drain();
  }
}
