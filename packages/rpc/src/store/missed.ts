/** Pushes for which there was no credit, until there is some. */
import type { Missed, Push } from "@canopy/store";
import type { Topic } from "@canopy/topic";

/** Beyond so many of one shard all are meant. */
export const MAX_TOPICS = 1_000;

interface OfShard {
  epoch: number;
  /** Names are what may be compared. Undefined: too many. */
  topics: Map<string, Topic> | undefined;
}

export class MissedPushes {
  /** Of the last; 0: there is none. */
  #number = 0;
  #shards = new Map<number, OfShard>();

  get isEmpty(): boolean {
    return this.#number === 0;
  }

  /** Those of its messages that are of QoS ≥ 1. */
  add({ number, shard, epoch, records, indexes }: Push): void {
    this.#number = number;
    if (indexes.length === 0) return;
    let missed = this.#shards.get(shard);
    if (missed === undefined) {
      missed = { epoch, topics: new Map() };
      this.#shards.set(shard, missed);
    }
    missed.epoch = epoch;
    for (let i = 0; i < indexes.length && missed.topics !== undefined; i++) {
      const topic = records.topics[indexes[i] as number] as Topic;
      missed.topics.set(topic.name, topic);
      if (missed.topics.size > MAX_TOPICS) missed.topics = undefined;
    }
  }

  /** One of which nothing is to be said. */
  pass(number: number): void {
    this.#number = number;
  }

  /** What there was; from here on nothing is missed. */
  take(): Missed {
    const shards = [...this.#shards].map(([shard, { epoch, topics }]) => {
      return { shard, epoch, topics: topics === undefined ? undefined : [...topics.values()] };
    });
    const number = this.#number;
    this.#number = 0;
    this.#shards = new Map();
    return { number, shards };
  }
}
