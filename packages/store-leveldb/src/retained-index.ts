import type { Offset } from "@canopy/store";

/** A block is split in two when it grows beyond this. */
const BLOCK = 512;

interface Block {
  /** Ascending, as JavaScript compares strings. */
  topics: string[];
  offsets: number[];
}

/**
 * The topics that have a retained value, with its offset, sorted so that pages can go on behind a
 * topic whatever has changed meanwhile. Two levels: an ordered list of small sorted blocks. Costs
 * about 40 bytes and the topic's text per value.
 */
export class RetainedIndex {
  #blocks: Block[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(topic: string): Offset | undefined {
    const block = this.#blocks[this.#blockFor(topic)];
    if (block === undefined) return undefined;
    const at = lowerBound(block.topics, topic);
    return block.topics[at] === topic ? block.offsets[at] : undefined;
  }

  set(topic: string, offset: Offset): void {
    if (this.#blocks.length === 0) this.#blocks.push({ topics: [], offsets: [] });
    const number = Math.max(this.#blockFor(topic), 0);
    const block = this.#blocks[number] as Block;
    const at = lowerBound(block.topics, topic);
    if (block.topics[at] === topic) {
      block.offsets[at] = offset;
      return;
    }
    block.topics.splice(at, 0, topic);
    block.offsets.splice(at, 0, offset);
    this.#size++;
    if (block.topics.length > BLOCK) this.#split(number, block);
  }

  delete(topic: string): void {
    const number = this.#blockFor(topic);
    const block = this.#blocks[number];
    if (block === undefined) return;
    const at = lowerBound(block.topics, topic);
    if (block.topics[at] !== topic) return;
    block.topics.splice(at, 1);
    block.offsets.splice(at, 1);
    this.#size--;
    if (block.topics.length === 0) this.#blocks.splice(number, 1);
  }

  /**
   * Topics behind `after` (from the first one, without it) that begin like this, in order, up to
   * `limit` of them; to be filtered by the caller.
   */
  range(after: string | undefined, prefix: string, limit: number): [string, Offset][] {
    const from = after === undefined || after < prefix ? prefix : after;
    const found: [string, Offset][] = [];
    for (let number = Math.max(this.#blockFor(from), 0); number < this.#blocks.length; number++) {
      const { topics, offsets } = this.#blocks[number] as Block;
      for (let at = lowerBound(topics, from); at < topics.length; at++) {
        const topic = topics[at] as string;
        if (topic === after) continue;
        if (!topic.startsWith(prefix)) return found;
        found.push([topic, offsets[at] as number]);
        if (found.length === limit) return found;
      }
    }
    return found;
  }

  #split(number: number, block: Block): void {
    const half = block.topics.length >>> 1;
    const right = { topics: block.topics.slice(half), offsets: block.offsets.slice(half) };
    const left = { topics: block.topics.slice(0, half), offsets: block.offsets.slice(0, half) };
    this.#blocks.splice(number, 1, left, right);
  }

  /** The last block that begins at or before the topic; -1 if none does. */
  #blockFor(topic: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (((this.#blocks[middle] as Block).topics[0] as string) <= topic) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function lowerBound(topics: readonly string[], topic: string): number {
  let low = 0;
  let high = topics.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((topics[middle] as string) < topic) low = middle + 1;
    else high = middle;
  }
  return low;
}
