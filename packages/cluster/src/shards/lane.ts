import { type Clock, Deque } from "@canopy/base";
import type { ShardPlace } from "@canopy/control";
import type { NotTaken, PublishBatch, ShardPeer, Shards } from "@canopy/store";
import type { ShardsCounters } from "./counters.ts";
import { Given, Kept, type Run } from "./kept.ts";

/** Reason codes (MQTT 5, section 2.4). */
const UNSPECIFIED_ERROR = 0x80;
const QUOTA_EXCEEDED = 0x97;

export interface LaneParts {
  readonly gateway: number;
  readonly peer: ShardPeer;
  readonly clock: Clock;
  readonly counters: ShardsCounters;
  /** How long a message waits for an owner that takes it, in ms. */
  readonly waitTimeout: number;
  /** Bytes of batches that are not answered. */
  readonly maxBytes: number;
  readonly place: () => ShardPlace;
  /** Where it is attached. */
  readonly node: (store: number) => Shards | undefined;
}

/**
 * The gateway's batches to one shard, in their order, to whoever owns it. They are kept until they are
 * answered; a new owner or epoch, and an owner that was out of reach, gets again what has no answer.
 */
export class Lane {
  readonly shard: number;
  readonly #parts: LaneParts;
  /** Ascending by number, without gaps; the first is not answered, or not given in this run. */
  readonly #kept = new Deque<Kept>();
  #bytes = 0;
  /** Number of the next new batch. */
  #next = 1;
  #run: (Run & { readonly node: Shards }) | undefined = undefined;
  /** Number of the first batch that was not given in this run. */
  #toGive = 1;
  #isGiving = false;
  /** What store processes may still use the buffers of. */
  readonly #held = new Set<Given>();

  constructor(shard: number, parts: LaneParts) {
    this.shard = shard;
    this.#parts = parts;
  }

  /** Its owner takes batches now. */
  get isRunning(): boolean {
    return this.#run !== undefined;
  }

  get isIdle(): boolean {
    return this.#kept.size === 0;
  }

  publish(batch: PublishBatch): void {
    const { clock, maxBytes } = this.#parts;
    const kept = new Kept(batch, clock.now());
    this.#next = batch.seq + 1;
    this.#kept.push(kept);
    this.#bytes += batch.records.length;
    if (this.#bytes > maxBytes) this.#refuse(kept);
    if (this.#run === undefined) this.#dropUnacknowledged(kept);
    else this.#pump();
    this.#settle(kept);
    this.#trim();
  }

  /** See {@link Shards.withdraw}. */
  withdraw(batch: PublishBatch, index: number): void {
    const kept = this.#at(batch.seq);
    if (kept?.batch !== batch || !kept.isOpen(index)) return;
    kept.withdraw(index);
    if (this.#mayHave(kept)) return;
    this.#answerAll(kept, UNSPECIFIED_ERROR, (i) => i === index);
    this.#trim();
  }

  // --- the owner --------------------------------------------------------------------------------

  /** The view says something new of the shard. */
  placeChanged(): void {
    const { owner, epoch } = this.#parts.place();
    const run = this.#run;
    if (run !== undefined && (run.store !== owner || run.epoch !== epoch)) this.#run = undefined;
    this.#dropWithdrawn();
    this.begin();
  }

  /** Gives everything without an answer to the owner, and from then on what comes, if it can be reached. */
  begin(): void {
    if (this.#run !== undefined) return;
    const { place, node: nodeOf, gateway } = this.#parts;
    const { owner, epoch } = place();
    const node = owner === 0 ? undefined : nodeOf(owner);
    if (node === undefined) return;
    this.#trim();
    this.#run = { store: owner, epoch, node };
    this.#toGive = this.#kept.peek()?.seq ?? this.#next;
    node.resume(gateway, this.shard, epoch, this.#toGive);
    this.#pump();
  }

  /** The attachment to a store process has ended: it gives no answer, and uses no buffers any more. */
  detached(store: number): void {
    if (this.#run?.store === store) this.#run = undefined;
    for (const given of this.#held) if (given.run.store === store) this.#letGo(given);
    this.#trim();
  }

  /**
   * Every so often. What is given up is so while nobody takes anything: a gateway that hears of it can
   * take out what its client has sent behind that.
   */
  tick(): void {
    this.begin();
    this.#expire();
    this.#trim();
  }

  // --- what it says -----------------------------------------------------------------------------

  answered(given: Given, index: number, reasonCode: number, epoch: number): void {
    const { kept, run } = given;
    // what was given before will be answered again, and better: by who owns the shard now
    if (run !== this.#run || epoch < run.epoch) return;
    if (kept.isLeft(index)) this.#close(kept, index);
    if (!kept.isOpen(index)) return;
    if (reasonCode >= UNSPECIFIED_ERROR && kept.isProtected(index, kept.givings - 1)) {
      this.#run = undefined;
      return;
    }
    this.#answer(kept, index, reasonCode, epoch);
    this.#trim();
  }

  released(given: Given): void {
    this.#letGo(given);
    this.#trim();
  }

  notTaken(given: Given, reason: NotTaken): void {
    const isCurrent = given.run === this.#run;
    if (isCurrent) this.#run = undefined;
    this.#letGo(given);
    this.#trim();
    // it has more to hand back: behind that
    if (isCurrent && reason === "after-error") queueMicrotask(() => this.begin());
  }

  // --- inside -----------------------------------------------------------------------------------

  #at(seq: number): Kept | undefined {
    const first = this.#kept.peek();
    return first === undefined ? undefined : this.#kept.at(seq - first.seq);
  }

  #pump(): void {
    // an owner may answer at once, and the gateway publish again: that is given by the loop at hand
    if (this.#isGiving) return;
    this.#isGiving = true;
    try {
      for (let run = this.#run; run !== undefined; run = this.#run) {
        const kept = this.#at(this.#toGive);
        if (kept === undefined) return;
        this.#toGive++;
        const given = new Given(this, this.#parts.gateway, kept, run);
        this.#held.add(given);
        run.node.publish(given);
      }
      this.#interrupted();
    } finally {
      this.#isGiving = false;
    }
  }

  /** The owner went while it was given batches: what it was not given is as if published without one. */
  #interrupted(): void {
    let seq = this.#toGive;
    for (let kept = this.#at(seq); kept !== undefined; kept = this.#at(++seq)) {
      this.#dropUnacknowledged(kept);
      this.#settle(kept);
    }
  }

  /** There is no room: as if it had never come, but for its number. */
  #refuse(kept: Kept): void {
    this.#dropUnacknowledged(kept);
    this.#parts.counters.refused += kept.open;
    this.#answerAll(kept, QUOTA_EXCEEDED, () => true);
  }

  #dropUnacknowledged(kept: Kept): void {
    this.#parts.counters.dropped += kept.dropUnacknowledged();
  }

  /**
   * Answers what no owner has taken in time. A message with a receipt that may be stored waits on: its
   * connection is closed by the gateway, and its client asks again.
   */
  #expire(): void {
    const { clock, waitTimeout, counters } = this.#parts;
    const before = clock.now() - waitTimeout;
    for (const kept of this.#kept) {
      if (kept.since > before) return;
      if (kept.open === 0 || (this.#run !== undefined && kept.lastRun === this.#run)) continue;
      const open = kept.open;
      this.#answerAll(kept, UNSPECIFIED_ERROR, (i) => !kept.isProtected(i, kept.givings));
      counters.givenUp += open - kept.open;
    }
  }

  /** Whoever may still take it has it, so that its answer is to be waited for. */
  #mayHave({ givings, lastRun }: Kept): boolean {
    if (givings === 0 || lastRun === undefined) return false;
    const { owner, epoch } = this.#parts.place();
    return lastRun.store === owner && lastRun.epoch === epoch;
  }

  #dropWithdrawn(): void {
    for (const kept of this.#kept) {
      if (kept.open === 0 || this.#mayHave(kept)) continue;
      this.#answerAll(kept, UNSPECIFIED_ERROR, (i) => kept.isWithdrawn(i));
    }
    this.#trim();
  }

  #answerAll(kept: Kept, reasonCode: number, isMeant: (index: number) => boolean): void {
    const { epoch } = this.#parts.place();
    for (let i = 0; i < kept.count && kept.open > 0; i++) {
      if (!kept.isOpen(i) || !isMeant(i)) continue;
      if (kept.isWithdrawn(i)) this.#leave(kept, i, reasonCode, epoch);
      else this.#answer(kept, i, reasonCode, epoch);
    }
  }

  #leave(kept: Kept, index: number, reasonCode: number, epoch: number): void {
    const batch = kept.batch as PublishBatch;
    kept.leave(index);
    this.#parts.peer.answered(batch, index, reasonCode, epoch);
    this.#settle(kept);
  }

  #close(kept: Kept, index: number): void {
    kept.close(index);
    this.#settle(kept);
    this.#trim();
  }

  #answer(kept: Kept, index: number, reasonCode: number, epoch: number): void {
    const batch = kept.batch as PublishBatch;
    kept.close(index);
    this.#parts.peer.answered(batch, index, reasonCode, epoch);
    this.#settle(kept);
  }

  #letGo(given: Given): void {
    if (!this.#held.delete(given)) return;
    given.kept.holders--;
    this.#settle(given.kept);
  }

  /** Gives the batch back once nobody needs it. */
  #settle(kept: Kept): void {
    const { batch } = kept;
    if (batch === undefined || kept.open + kept.left > 0 || kept.holders > 0) return;
    // it is this run's to give, QoS 0 alone perhaps
    if (this.#run !== undefined && kept.seq >= this.#toGive) return;
    kept.batch = undefined;
    this.#bytes -= batch.records.length;
    this.#parts.peer.released(batch);
  }

  /** Forgets what nobody will be given again. */
  #trim(): void {
    for (;;) {
      const first = this.#kept.peek();
      if (first === undefined || first.open + first.left > 0) return;
      if (this.#run !== undefined && first.seq >= this.#toGive) return;
      this.#kept.shift();
    }
  }
}
