/**
 * A Map that takes its memory with its first entry. For maps that every one of many objects has
 * and few use: an empty Map takes some 200 bytes.
 */
export class LazyMap<K, V> {
  #map: Map<K, V> | undefined = undefined;

  get size(): number {
    return this.#map === undefined ? 0 : this.#map.size;
  }

  has(key: K): boolean {
    return this.#map?.has(key) === true;
  }

  get(key: K): V | undefined {
    return this.#map?.get(key);
  }

  set(key: K, value: V): void {
    this.#map ??= new Map();
    this.#map.set(key, value);
  }

  /** True when the key was there. */
  delete(key: K): boolean {
    return this.#map?.delete(key) === true;
  }

  clear(): void {
    this.#map = undefined;
  }

  values(): Iterable<V> {
    return this.#map === undefined ? [] : this.#map.values();
  }

  [Symbol.iterator](): Iterator<[K, V]> {
    return (this.#map ?? (new Map() as Map<K, V>))[Symbol.iterator]();
  }
}
