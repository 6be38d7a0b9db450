import { MAX_STRING_BYTES } from "./name.ts";
import type { Topic } from "./topic.ts";

/**
 * A name made ready to be looked up: in words of four bytes, so that hashing and comparing take a
 * quarter of the steps. One is used again and again.
 */
export class NameKey {
  /** Zero bytes fill the last word. */
  readonly words: Int32Array = new Int32Array((MAX_STRING_BYTES + 3) >> 2);
  /** How many bytes, and how many words they fill. */
  size = 0;
  count = 0;
  hash = 0;

  /** At most MAX_STRING_BYTES. */
  load(bytes: Uint8Array, start: number, end: number): void {
    const words = this.words;
    const whole = end - ((end - start) & 3);
    let hash = end - start;
    let count = 0;
    let i = start;
    for (; i < whole; i += 4) {
      const word =
        (bytes[i] as number) |
        ((bytes[i + 1] as number) << 8) |
        ((bytes[i + 2] as number) << 16) |
        ((bytes[i + 3] as number) << 24);
      words[count++] = word;
      hash = mix(hash, word);
    }
    if (i < end) {
      let word = 0;
      for (let shift = 0; i < end; i++, shift += 8) word |= (bytes[i] as number) << shift;
      words[count++] = word;
      hash = mix(hash, word);
    }
    this.size = end - start;
    this.count = count;
    this.hash = hash ^ (hash >>> 13);
  }
}

function mix(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x9e3779b1);
  return product ^ (product >>> 15);
}

type Slots = (Topic | undefined)[];

const FIRST_SLOTS = 1024;
/** How far a look-up goes from the slot of its hash: a bound even when names are made to collide. */
const PROBES = 32;
/** A slot is described by the hash, where the name is, its size in bytes (0: a free slot). */
const STRIDE = 4;

/**
 * A hash table from names to Topics: open addressing with linear probing, at most half full.
 * Hashes and names lie in flat arrays, so a look-up touches no object but the Topic it returns.
 */
export class Generation {
  #slots: Slots;
  #descriptions: Int32Array;
  #names: Int32Array = new Int32Array(4096);
  #namesEnd = 0;
  #size = 0;

  /** With room for as much as another one, where that has just become full. */
  constructor(like?: Generation) {
    const length = like === undefined ? FIRST_SLOTS : like.#slots.length;
    this.#slots = emptySlots(length);
    this.#descriptions = new Int32Array(length * STRIDE);
  }

  get size(): number {
    return this.#size;
  }

  /** What the names take. */
  get bytes(): number {
    return this.#namesEnd * 4;
  }

  find(key: NameKey): Topic | undefined {
    const { hash, size } = key;
    const descriptions = this.#descriptions;
    const mask = this.#slots.length - 1;
    for (let probe = 0; probe < PROBES; probe++) {
      const slot = (hash + probe) & mask;
      const at = slot * STRIDE;
      const slotSize = descriptions[at + 2] as number;
      if (slotSize === 0) return undefined;
      if (descriptions[at] === hash && slotSize === size) {
        if (this.#sameName(descriptions[at + 1] as number, key)) return this.#slots[slot];
      }
    }
    return undefined;
  }

  /** The topic must have the key's name, and not be in the table. */
  insert(key: NameKey, topic: Topic): void {
    if (this.#size * 2 >= this.#slots.length) this.#growSlots();
    if (this.#namesEnd + key.count > this.#names.length) this.#growNames(key.count);
    const offset = this.#namesEnd;
    for (let i = 0; i < key.count; i++) this.#names[offset + i] = key.words[i] as number;
    this.#namesEnd += key.count;
    this.#size++;
    this.#place(key.hash, offset, key.size, topic);
  }

  #sameName(offset: number, key: NameKey): boolean {
    const names = this.#names;
    const { words, count } = key;
    for (let i = 0; i < count; i++) if (names[offset + i] !== words[i]) return false;
    return true;
  }

  /** With no free slot within reach, the newcomer takes the place of another, which is forgotten. */
  #place(hash: number, offset: number, size: number, topic: Topic): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let probe = 1; probe < PROBES && this.#slots[slot] !== undefined; probe++) {
      slot = (hash + probe) & mask;
    }
    const at = slot * STRIDE;
    this.#descriptions[at] = hash;
    this.#descriptions[at + 1] = offset;
    this.#descriptions[at + 2] = size;
    this.#slots[slot] = topic;
  }

  #growSlots(): void {
    const slots = this.#slots;
    const descriptions = this.#descriptions;
    this.#slots = emptySlots(slots.length * 2);
    this.#descriptions = new Int32Array(descriptions.length * 2);
    for (let slot = 0; slot < slots.length; slot++) {
      const topic = slots[slot];
      if (topic === undefined) continue;
      const [hash = 0, offset = 0, size = 0] = descriptions.subarray(slot * STRIDE);
      this.#place(hash, offset, size, topic);
    }
  }

  #growNames(count: number): void {
    const names = new Int32Array(Math.max(this.#names.length * 2, this.#namesEnd + count));
    names.set(this.#names);
    this.#names = names;
  }
}

/** Without holes, so that the array's elements stay fast. */
function emptySlots(length: number): Slots {
  return Array.from({ length }, () => undefined);
}
