/**
 * A map by numbers that are given one after the other, in parts. One large map copies itself whole
 * when it has to grow or shrink: with a million entries nothing else happens for a tenth of a second.
 * In parts of a few thousand each copy is short.
 */
const PAGE = 4_096;

export class SplitMap<V> {
  /** In the order of the numbers, as far as they came in it. */
  readonly #parts: Map<number, Map<number, V>> = new Map();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): V | undefined {
    return this.#parts.get(pageOf(key))?.get(key);
  }

  set(key: number, value: V): void {
    const page = pageOf(key);
    let part = this.#parts.get(page);
    if (part === undefined) {
      part = new Map();
      this.#parts.set(page, part);
    }
    const before = part.size;
    part.set(key, value);
    this.#size += part.size - before;
  }

  delete(key: number): boolean {
    const page = pageOf(key);
    const part = this.#parts.get(page);
    if (part === undefined || !part.delete(key)) return false;
    this.#size--;
    if (part.size === 0) this.#parts.delete(page);
    return true;
  }

  /** Part by part. Entries may come and go meanwhile; those that stay are seen once. */
  *values(): Generator<V, undefined> {
    for (const part of this.#parts.values()) yield* part.values();
    return undefined;
  }
}

function pageOf(key: number): number {
  return Math.floor(key / PAGE);
}
