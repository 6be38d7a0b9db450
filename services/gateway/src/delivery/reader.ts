import { Deque } from "@canopy/base";
import { DELIVERY } from "@canopy/connection";
import type { DoneRanges } from "@canopy/session";
import type { Sub, SubDelivery } from "./sub.ts";

/**
 * A durable session's place in one shard: what of its queues it has been given and what of that is
 * finished. Behind, it reads from the store; live, it takes pushes. It does no I/O itself.
 */
export class Reader {
  readonly shard: number;
  /** Subscriptions with a queue here. */
  readonly subs: Set<Sub> = new Set();
  /** Everything up to here has been delivered, or needs no delivery. */
  position: number;
  /** Everything up to here is finished. */
  cursor: number;
  live = false;
  reading = false;
  /** The last read did not come to the end: there is a backlog. */
  hungry = false;
  /** Raised by whatever makes an answer to an earlier read worthless. */
  generation = 0;
  /** Highest offset pushed while not live. */
  seen = 0;
  /** In the list of readers that want to read. */
  waiting = false;
  /** In the order of offsets; finished ones stay until all before them are finished too. */
  readonly #pending = new Deque<SubDelivery>();
  /** Deliveries of an earlier connection, by offset: they take their place as the position passes. */
  #resumed: SubDelivery[] = [];
  /** Finished on an earlier connection, as ranges above the cursor. */
  #done: number[] = [];
  flushed: number;
  #doneChanged = false;

  constructor(shard: number, cursor: number) {
    this.shard = shard;
    this.position = cursor;
    this.cursor = cursor;
    this.flushed = cursor;
  }

  resume(deliveries: readonly SubDelivery[], done: readonly number[]): void {
    this.#resumed = [...deliveries].sort((a, b) => a.offset - b.offset);
    this.#done = [...done];
  }

  /** Whether this stored message was delivered or finished earlier; the position moves on. */
  passes(offset: number): boolean {
    if (offset <= this.position) return true;
    this.#passResumed(offset);
    if (this.#isResumedAt(offset) || this.#isDone(offset)) {
      this.position = offset;
      return true;
    }
    return false;
  }

  /** A delivery has begun. */
  add(delivery: SubDelivery): void {
    this.#pending.push(delivery);
    this.position = delivery.offset;
  }

  /** Everything up to here has been looked at; nothing is in flight for it but what was added. */
  moveTo(offset: number): void {
    if (offset > this.position) this.position = offset;
    this.#passResumed(this.position + 1);
    this.advance();
  }

  /** A delivery is finished: the cursor moves if it was the first. */
  finish(delivery: SubDelivery): void {
    if (this.#pending.peek() === delivery) this.advance();
    else this.#doneChanged = true;
  }

  advance(): void {
    const pending = this.#pending;
    for (let head = pending.peek(); head !== undefined; head = pending.peek()) {
      if (head.state !== DELIVERY.finished) return;
      // one of an earlier connection may be below what was told of that
      this.cursor = Math.max(this.cursor, head.offset);
      pending.shift();
    }
    if (this.#resumed.length === 0) this.cursor = this.position;
  }

  /** Whether there is anything to tell the session state. */
  get changed(): boolean {
    return this.cursor !== this.flushed || this.#doneChanged;
  }

  flush(): void {
    this.flushed = this.cursor;
    this.#doneChanged = false;
  }

  /** What was told last did not arrive. */
  unflush(): void {
    this.#doneChanged = true;
  }

  /** What is finished above the cursor. */
  done(): DoneRanges | undefined {
    const ranges: number[] = [];
    let from = 0;
    let to = 0;
    for (const delivery of this.#pending) {
      if (delivery.state === DELIVERY.finished) {
        if (from === 0) from = delivery.offset;
        to = delivery.offset;
      } else if (from !== 0) {
        ranges.push(from, to);
        from = 0;
      }
    }
    if (from !== 0) ranges.push(from, to);
    // between these there may be messages that were not looked at yet
    for (const { state, offset } of this.#resumed) {
      if (state === DELIVERY.finished) ranges.push(offset, offset);
    }
    return ranges.length === 0 ? undefined : { shard: this.shard, ranges };
  }

  #passResumed(before: number): void {
    while (this.#resumed.length > 0 && (this.#resumed[0] as SubDelivery).offset < before) {
      this.#pending.push(this.#resumed.shift() as SubDelivery);
    }
  }

  #isResumedAt(offset: number): boolean {
    if (this.#resumed[0]?.offset !== offset) return false;
    this.#pending.push(this.#resumed.shift() as SubDelivery);
    return true;
  }

  #isDone(offset: number): boolean {
    const done = this.#done;
    while (done.length > 0 && (done[1] as number) < offset) done.splice(0, 2);
    return done.length > 0 && (done[0] as number) <= offset;
  }
}
