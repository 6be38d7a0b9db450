/** What a gateway says to one store process: its batches, each shard's within a window, and words. */
import { Deque } from "@canopy/base";
import type { PublishBatch } from "@canopy/store";
import type { RpcStream } from "../stream.ts";
import { costOf, encodeBatch } from "./batch.ts";
import { Words } from "./words.ts";

interface Lane {
  /** What was sent and is not released, in bytes. */
  unreleased: number;
  /** Batches that wait, in their order. They belong to whoever has given them, who bounds them. */
  readonly waiting: Deque<PublishBatch>;
}

interface Sent {
  readonly batch: PublishBatch;
  readonly lane: Lane;
  readonly cost: number;
}

export class Outbound {
  readonly #stream: RpcStream;
  /** Of each shard, in bytes. */
  readonly #window: number;
  readonly #words = new Words();
  #lanes: Lane[] = [];
  /** By id: what is not released. */
  #sent = new Map<number, Sent>();
  #lastId = 0;
  /** The stream has no credit. */
  #isBlocked = false;
  /** Whose turn it is when there is credit again: an index of `#lanes`. */
  #turn = 0;
  #isScheduled = false;

  constructor(stream: RpcStream, window: number) {
    this.#stream = stream;
    this.#window = window;
  }

  /** To be said at the end of the turn, or before the next batch. */
  get words(): Words {
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.#sayWords();
        this.#stream.flush();
      });
    }
    return this.#words;
  }

  publish(batch: PublishBatch): void {
    const lane = this.#lane(batch.shard);
    if (lane.waiting.size > 0 || !this.#send(lane, batch)) lane.waiting.push(batch);
  }

  /** Undefined: it is over. */
  batch(id: number): PublishBatch | undefined {
    return this.#sent.get(id)?.batch;
  }

  /** The process has done with the batch; undefined: it was over. */
  back(id: number): PublishBatch | undefined {
    const sent = this.#sent.get(id);
    if (sent === undefined) return undefined;
    this.#sent.delete(id);
    const { lane, batch, cost } = sent;
    lane.unreleased -= cost;
    this.#pump(lane);
    return batch;
  }

  /** Takes back what the shard was not sent. */
  takeWaiting(shard: number): PublishBatch[] {
    const { waiting } = this.#lane(shard);
    const taken = [...waiting];
    waiting.clear();
    return taken;
  }

  /** Nothing that was given before counts any more. */
  reset(): void {
    this.#lanes = [];
    this.#sent = new Map();
    this.#turn = 0;
  }

  /** There is credit again: one batch of each shard, again and again. */
  onReady(): void {
    this.#isBlocked = false;
    const lanes = this.#lanes;
    for (let idle = 0; idle < lanes.length; ) {
      const isSent = this.#sendNext(lanes[this.#turn] as Lane);
      if (this.#isBlocked) return;
      idle = isSent ? 0 : idle + 1;
      this.#turn = (this.#turn + 1) % lanes.length;
    }
  }

  #pump(lane: Lane): void {
    for (let isSent = true; isSent; ) isSent = this.#sendNext(lane);
  }

  #sendNext(lane: Lane): boolean {
    const batch = lane.waiting.peek();
    if (batch === undefined || !this.#send(lane, batch)) return false;
    lane.waiting.shift();
    return true;
  }

  #send(lane: Lane, batch: PublishBatch): boolean {
    if (this.#isBlocked || lane.unreleased >= this.#window) return false;
    this.#sayWords();
    const id = this.#lastId + 1;
    if (!this.#stream.send(encodeBatch(id, batch))) {
      this.#isBlocked = true;
      return false;
    }
    this.#lastId = id;
    const cost = costOf(batch.records);
    lane.unreleased += cost;
    this.#sent.set(id, { batch, lane, cost });
    return true;
  }

  #sayWords(): void {
    if (this.#words.isEmpty) return;
    for (const message of this.#words.take()) this.#stream.sendMark(message);
  }

  #lane(shard: number): Lane {
    while (this.#lanes.length <= shard) {
      this.#lanes.push({ unreleased: 0, waiting: new Deque() });
    }
    return this.#lanes[shard] as Lane;
  }
}
