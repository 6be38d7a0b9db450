/**
 * A map in parts. One large map copies itself whole when it has to grow or shrink: with a million
 * entries nothing else happens for a tenth of a second. In parts of a few thousand each copy is short.
 */
export class SplitMap<K, V> {
  readonly #place: (key: K) => number;
  readonly #parts: Map<number, Map<K, V>> = new Map();
  #size = 0;

  /** `place` says in which part a key is, always the same. */
  constructor(place: (key: K) => number) {
    this.#place = place;
  }

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    return this.#parts.get(this.#place(key))?.get(key);
  }

  set(key: K, value: V): void {
    const place = this.#place(key);
    let part = this.#parts.get(place);
    if (part === undefined) {
      part = new Map();
      this.#parts.set(place, part);
    }
    const before = part.size;
    part.set(key, value);
    this.#size += part.size - before;
  }

  delete(key: K): boolean {
    const place = this.#place(key);
    const part = this.#parts.get(place);
    if (part === undefined || !part.delete(key)) return false;
    this.#size--;
    if (part.size === 0) this.#parts.delete(place);
    return true;
  }

  /** Part by part. Entries may come and go meanwhile; those that stay are seen once. */
  *values(): Generator<V, undefined> {
    for (const part of this.#parts.values()) yield* part.values();
    return undefined;
  }
}

const PAGE = 4_096;

/** For numbers that are given one after the other: the order of the parts is theirs. */
export function pageOf(key: number): number {
  return Math.floor(key / PAGE);
}

const BUCKETS = 512;
const FNV_PRIME = 16_777_619;
const FNV_START = 2_166_136_261;

/** For strings: FNV-1a. */
export function bucketOf(key: string): number {
  let hash = FNV_START;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), FNV_PRIME);
  return (hash ^ (hash >>> 16)) & (BUCKETS - 1);
}
