/**
 * Values that have a name each, by that name, in parts of a few thousand so that growing is short
 * (see split-map.ts).
 *
 * A Map looks at the strings that it has: in one with a million each look is a wait for memory, two
 * or three per question. Here the hashes lie side by side, and a value is looked at only where its
 * hash is the right one: who asks for what is not there waits once.
 */
const PARTS_SHIFT = 23;
const PARTS = 2 ** (32 - PARTS_SHIFT);
const SMALLEST = 8;
/** Free places; no name has this hash. */
const FREE = 0;
/** At most half full, parts of 8 million names have no way over 43: a longer one than this is intended. */
const LONGEST_WAY = 128;

export class NameTable<V> {
  readonly #nameOf: (value: V) => string;
  readonly #parts: (Part<V> | Map<string, V> | undefined)[] = Array.from({ length: PARTS });
  #size = 0;
  /** The last name that was asked for: who adds one has asked for it first. */
  #name = "";
  #hash = hashOf("");

  /** The name of a value never changes. */
  constructor(nameOf: (value: V) => string) {
    this.#nameOf = nameOf;
  }

  get size(): number {
    return this.#size;
  }

  get(name: string): V | undefined {
    const hash = this.#hashOf(name);
    const part = this.#parts[hash >>> PARTS_SHIFT];
    if (part === undefined) return undefined;
    if (part instanceof Map) return part.get(name);
    return part.values[this.#place(part, hash, name)];
  }

  /** In place of the one that has its name, if there is one. */
  set(value: V): void {
    const name = this.#nameOf(value);
    const hash = this.#hashOf(name);
    const number = hash >>> PARTS_SHIFT;
    let part = this.#parts[number];
    if (part === undefined) {
      part = new Part();
      this.#parts[number] = part;
    }
    const before = part.size;
    if (part instanceof Map) part.set(name, value);
    else if (!part.set(this.#place(part, hash, name), hash, value)) {
      this.#parts[number] = this.#asMap(part);
    }
    this.#size += part.size - before;
  }

  delete(name: string): boolean {
    const hash = this.#hashOf(name);
    const number = hash >>> PARTS_SHIFT;
    const part = this.#parts[number];
    if (part === undefined) return false;
    const gone =
      part instanceof Map ? part.delete(name) : part.delete(this.#place(part, hash, name));
    if (!gone) return false;
    this.#size--;
    if (part.size === 0) this.#parts[number] = undefined;
    return true;
  }

  /** In no order; nothing may come or go meanwhile. */
  *values(): Generator<V, undefined> {
    for (const part of this.#parts) {
      if (part === undefined) continue;
      if (part instanceof Map) yield* part.values();
      else for (const value of part.values) if (value !== undefined) yield value;
    }
    return undefined;
  }

  #hashOf(name: string): number {
    if (name === this.#name) return this.#hash;
    this.#name = name;
    this.#hash = hashOf(name);
    return this.#hash;
  }

  /** Where it is, or where it would be. */
  #place({ hashes, values }: Part<V>, hash: number, name: string): number {
    const mask = hashes.length - 1;
    let place = hash & mask;
    for (let at = hashes[place]; at !== FREE; at = hashes[place]) {
      if (at === hash && this.#nameOf(values[place] as V) === name) break;
      place = (place + 1) & mask;
    }
    return place;
  }

  /** Whoever chooses names for their hashes makes one part as slow as a Map, but not slower. */
  #asMap({ values }: Part<V>): Map<string, V> {
    const map = new Map<string, V>();
    for (const value of values) if (value !== undefined) map.set(this.#nameOf(value), value);
    return map;
  }
}

/** Open addressing, each as near behind the place of its hash as there was a free one. */
class Part<V> {
  hashes: Int32Array = new Int32Array(SMALLEST);
  values: (V | undefined)[] = emptyPlaces(SMALLEST);
  size = 0;

  /** False where the hashes are such that a Map would be better. The value is there all the same. */
  set(place: number, hash: number, value: V): boolean {
    this.values[place] = value;
    if (this.hashes[place] !== FREE) return true;
    this.hashes[place] = hash;
    this.size++;
    const way = (place - hash) & (this.hashes.length - 1);
    if (this.size * 2 > this.hashes.length) this.#resize(this.hashes.length * 2);
    return way <= LONGEST_WAY;
  }

  delete(place: number): boolean {
    const { hashes, values } = this;
    if (hashes[place] === FREE) return false;
    const mask = hashes.length - 1;
    // Those behind that are not where they should be move up.
    let free = place;
    for (let next = (free + 1) & mask; hashes[next] !== FREE; next = (next + 1) & mask) {
      const hash = hashes[next] as number;
      if (((next - hash) & mask) < ((next - free) & mask)) continue;
      hashes[free] = hash;
      values[free] = values[next];
      free = next;
    }
    hashes[free] = FREE;
    values[free] = undefined;
    this.size--;
    if (hashes.length > SMALLEST && this.size * 8 < hashes.length) this.#resize(hashes.length / 2);
    return true;
  }

  #resize(length: number): void {
    const { hashes, values } = this;
    const mask = length - 1;
    this.hashes = new Int32Array(length);
    this.values = emptyPlaces(length);
    for (let i = 0; i < hashes.length; i++) {
      const hash = hashes[i] as number;
      if (hash === FREE) continue;
      let place = hash & mask;
      while (this.hashes[place] !== FREE) place = (place + 1) & mask;
      this.hashes[place] = hash;
      this.values[place] = values[i];
    }
  }
}

function emptyPlaces<V>(length: number): (V | undefined)[] {
  const places: (V | undefined)[] = [];
  places.length = length;
  return places.fill(undefined);
}

const FNV_PRIME = 16_777_619;
const FNV_START = 2_166_136_261 | 0;

/** FNV-1a, its bits mixed as MurmurHash3 does at its end; any integer of 32 bits but FREE. */
export function hashOf(name: string): number {
  let hash = FNV_START;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), FNV_PRIME);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  hash ^= hash >>> 16;
  return hash === FREE ? 1 : hash;
}
