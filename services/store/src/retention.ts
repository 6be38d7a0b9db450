import type { ShardStore } from "@canopy/store";

/** How many topics may have a retained message, over all shards. */
export class RetainedLimit {
  readonly #max: number;
  readonly #stores: () => Iterable<ShardStore | undefined>;
  /** First values that are on their way to the disk. */
  #coming = 0;

  constructor(max: number, stores: () => Iterable<ShardStore | undefined>) {
    this.#max = max;
    this.#stores = stores;
  }

  get count(): number {
    let count = 0;
    for (const store of this.#stores()) count += store?.retainedCount ?? 0;
    return count;
  }

  /** Takes a place for a topic that has no retained message yet. */
  take(): boolean {
    if (this.#max > 0 && this.count + this.#coming >= this.#max) return false;
    this.#coming++;
    return true;
  }

  /** They are on disk, and counted there, or failed. */
  settled(count: number): void {
    this.#coming -= count;
  }
}

/** Retained values of one shard that are being changed: topic → changes under way. */
export class RetainedChanges {
  readonly #topics = new Map<string, number>();
  #watched: Set<string> | undefined;

  /** From now on, and until it is called again: topics whose value is, or is being, changed. */
  watch(): ReadonlySet<string> {
    this.#watched = new Set(this.#topics.keys());
    return this.#watched;
  }

  unwatch(): void {
    this.#watched = undefined;
  }

  has(topic: string): boolean {
    return this.#topics.has(topic);
  }

  began(topic: string): void {
    this.#watched?.add(topic);
    this.#topics.set(topic, (this.#topics.get(topic) ?? 0) + 1);
  }

  ended(topic: string): void {
    const left = (this.#topics.get(topic) ?? 0) - 1;
    if (left > 0) this.#topics.set(topic, left);
    else this.#topics.delete(topic);
  }
}
