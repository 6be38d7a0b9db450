import { Deque } from "@canopy/base";
import type { ReadonlyView } from "@canopy/control";
import { type Dispatch, type Missed, type Push, type ShardPeer, StoreError } from "@canopy/store";
import { Watermarks } from "./watermarks.ts";

/** One attachment to one store process. */
export interface Source {
  /** Everything that it sent up to this number is with whom it is for. */
  acknowledge(number: number): void;
}

interface Awaited {
  /** As the gateway was told. */
  readonly number: number;
  readonly source: Source;
  /** As its store process numbers it. */
  readonly sourceNumber: number;
}

/**
 * What store processes push and dispatch, as one stream to the gateway: numbered anew, without what
 * former owners say and what was taken before. Each hears of its own when the gateway has taken it.
 */
export class Inbound {
  readonly #view: ReadonlyView;
  readonly #peer: ShardPeer;
  readonly marks: Watermarks = new Watermarks();
  #number = 0;
  #acknowledged = 0;
  /** Ascending by number; bounded by what store processes send without acknowledgement. */
  readonly #awaited = new Deque<Awaited>();

  constructor(view: ReadonlyView, peer: ShardPeer) {
    this.#view = view;
    this.#peer = peer;
  }

  push(source: Source, push: Push): void {
    const { number } = push;
    if (this.isOutdated(push)) {
      this.#await(source, number);
      return;
    }
    const { old, fresh } = this.marks.split(push);
    // the number is known before the gateway is told: it may acknowledge within the call
    this.#number += (old === undefined ? 0 : 1) + (fresh === undefined ? 0 : 1);
    const last = this.#number;
    this.#await(source, number);
    if (old !== undefined)
      this.#peer.push({ ...old, number: fresh === undefined ? last : last - 1 });
    if (fresh !== undefined) this.#peer.push({ ...fresh, number: last });
  }

  dispatch(source: Source, message: Dispatch): void {
    const isOutdated = this.isOutdated(message);
    if (!isOutdated) this.#number++;
    const number = this.#number;
    this.#await(source, message.number);
    if (!isOutdated) this.#peer.dispatch({ ...message, number });
  }

  /** Of what former owners did not push nothing is said: what they gave is given, or read, again. */
  missed(source: Source, missed: Missed): void {
    const shards = missed.shards.filter((shard) => !this.isOutdated(shard));
    if (shards.length > 0) {
      if (this.#peer.missed === undefined) {
        throw new StoreError("invalid", "pushes were missed, and nobody can be told");
      }
      this.#number++;
    }
    const number = this.#number;
    this.#await(source, missed.number);
    if (shards.length > 0) this.#peer.missed?.({ number, shards });
  }

  /** Said by a former owner. */
  isOutdated({ shard, epoch }: { readonly shard: number; readonly epoch: number }): boolean {
    return epoch < this.#view.place(shard).epoch;
  }

  acknowledged(number: number): void {
    if (number > this.#acknowledged) this.#acknowledged = number;
    for (let first = this.#awaited.peek(); first !== undefined; first = this.#awaited.peek()) {
      if (first.number > this.#acknowledged) return;
      this.#awaited.shift();
      first.source.acknowledge(first.sourceNumber);
    }
  }

  #await(source: Source, sourceNumber: number): void {
    this.#awaited.push({ number: this.#number, source, sourceNumber });
    this.acknowledged(this.#acknowledged);
  }
}
