import { type Push, STORED_BEFORE } from "@canopy/store";
import { qosOf } from "./records.ts";

/** The last message of QoS ≥ 1 that was taken of one sender. */
interface Mark {
  seq: number;
  index: number;
}

/**
 * What of each sender's messages of QoS ≥ 1 has come, per shard. They leave in the order of (seq, index),
 * so what is at or below the mark comes again: after its batch was given to another owner, or again.
 */
export class Watermarks {
  readonly #shards: (Map<number, Mark> | undefined)[] = [];

  /**
   * What of the push is to be handed on, in this order: only for readers what came before (unstored then,
   * perhaps: readers go by the offset), and what is new. Undefined: nothing of the kind.
   */
  split(push: Push): { readonly old: Push | undefined; readonly fresh: Push | undefined } {
    // wills, and what the store publishes itself, are not numbered
    if (push.gateway === 0) return { old: undefined, fresh: push };
    const mark = this.#markOf(push.shard, push.gateway);
    const { seq } = push;
    const before = seq > mark.seq ? -1 : seq === mark.seq ? mark.index : Number.POSITIVE_INFINITY;
    const last = lastAcknowledged(push);
    if (last > before) {
      mark.seq = seq;
      mark.index = last;
    }
    if (before === -1) return { old: undefined, fresh: push };
    return {
      old: part(push, true, (i) => isOld(push, i, before) && hasOffset(push, i)),
      fresh: part(push, false, (i) => !isOld(push, i, before)),
    };
  }

  /** Gateways that publish no more. */
  forget(isGone: (gateway: number) => boolean): void {
    for (const marks of this.#shards) {
      for (const gateway of marks?.keys() ?? []) if (isGone(gateway)) marks?.delete(gateway);
    }
  }

  #markOf(shard: number, gateway: number): Mark {
    const marks = (this.#shards[shard] ??= new Map());
    let mark = marks.get(gateway);
    if (mark === undefined) {
      mark = { seq: 0, index: -1 };
      marks.set(gateway, mark);
    }
    return mark;
  }
}

/** Index in the batch of the last message of QoS ≥ 1; -1: there is none. */
function lastAcknowledged({ records, indexes }: Push): number {
  const { bytes, starts } = records;
  for (let i = indexes.length - 1; i >= 0; i--) {
    const index = indexes[i] as number;
    if (qosOf(bytes, starts[index] as number) !== 0) return index;
  }
  return -1;
}

function isOld({ records, indexes }: Push, i: number, before: number): boolean {
  const index = indexes[i] as number;
  return index <= before && qosOf(records.bytes, records.starts[index] as number) !== 0;
}

function hasOffset({ offsets }: Push, i: number): boolean {
  return (offsets[i] as number) > STORED_BEFORE;
}

function part(push: Push, readersOnly: boolean, has: (i: number) => boolean): Push | undefined {
  const indexes: number[] = [];
  const offsets: number[] = [];
  for (let i = 0; i < push.indexes.length; i++) {
    if (!has(i)) continue;
    indexes.push(push.indexes[i] as number);
    offsets.push(push.offsets[i] as number);
  }
  if (indexes.length === 0) return undefined;
  return readersOnly ? { ...push, indexes, offsets, readersOnly } : { ...push, indexes, offsets };
}
