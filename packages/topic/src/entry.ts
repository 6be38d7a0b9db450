/**
 * A filter and the values under it, by key. Most filters have one value, so a Map comes with the
 * second; with it, 100,000 subscribers on one filter are as cheap to add and remove as one.
 *
 * A FilterTrie hands out its own entries: what they hold changes with the trie.
 */
export class FilterEntry<V, K> {
  readonly filter: string;
  // One pair, or the Map; what is not in use is undefined, so that nothing dead is held.
  #key: K | undefined;
  #value: V | undefined;
  #map: Map<K, V> | undefined = undefined;

  constructor(filter: string, key: K, value: V) {
    this.filter = filter;
    this.#key = key;
    this.#value = value;
  }

  /** 0 for an entry that its trie has dropped. */
  get size(): number {
    return this.#map === undefined ? 1 : this.#map.size;
  }

  has(key: K): boolean {
    return this.#map === undefined ? this.#key === key : this.#map.has(key);
  }

  get(key: K): V | undefined {
    if (this.#map !== undefined) return this.#map.get(key);
    return this.#key === key ? this.#value : undefined;
  }

  /** In the order in which the keys were added. */
  forEach(visit: (value: V, key: K, filter: string) => void): void {
    if (this.#map === undefined) {
      visit(this.#value as V, this.#key as K, this.filter);
    } else {
      for (const [key, value] of this.#map) visit(value, key, this.filter);
    }
  }

  *[Symbol.iterator](): Generator<[K, V]> {
    if (this.#map === undefined) yield [this.#key as K, this.#value as V];
    else yield* this.#map;
  }

  /** For the trie only. True when the key is new. */
  set(key: K, value: V): boolean {
    if (this.#map === undefined && this.#key === key) {
      this.#value = value;
      return false;
    }
    const map = this.#map ?? this.#toMap();
    const before = map.size;
    map.set(key, value);
    return map.size > before;
  }

  /** For the trie only. True when the key was there. */
  delete(key: K): boolean {
    if (this.#map === undefined && this.#key !== key) return false;
    return (this.#map ?? this.#toMap()).delete(key);
  }

  #toMap(): Map<K, V> {
    this.#map = new Map([[this.#key as K, this.#value as V]]);
    this.#key = undefined;
    this.#value = undefined;
    return this.#map;
  }
}
