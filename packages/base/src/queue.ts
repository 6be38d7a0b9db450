const SMALLEST = 8;
/** What an empty queue stands on: most queues of most connections are never used. */
const NO_RING: never[] = [];

/** A double-ended queue in a growing ring: each operation is O(1). */
export class Deque<T> {
  #ring: (T | undefined)[] = NO_RING;
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[this.#slot(this.#size)] = item;
    this.#size++;
  }

  unshift(item: T): void {
    if (this.#size === this.#ring.length) this.#grow();
    this.#head = this.#slot(this.#ring.length - 1);
    this.#ring[this.#head] = item;
    this.#size++;
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = this.#slot(1);
    this.#size--;
    return item;
  }

  pop(): T | undefined {
    if (this.#size === 0) return undefined;
    const slot = this.#slot(this.#size - 1);
    const item = this.#ring[slot];
    this.#ring[slot] = undefined;
    this.#size--;
    return item;
  }

  peek(): T | undefined {
    return this.#ring[this.#head];
  }

  /** The item at a position counted from the head. */
  at(index: number): T | undefined {
    return index >= 0 && index < this.#size ? this.#ring[this.#slot(index)] : undefined;
  }

  /** Also gives the memory back. */
  clear(): void {
    this.#ring = NO_RING;
    this.#head = 0;
    this.#size = 0;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let i = 0; i < this.#size; i++) yield this.#ring[this.#slot(i)] as T;
  }

  /** The ring's length is a power of two, so a position wraps by a mask. */
  #slot(index: number): number {
    return (this.#head + index) & (this.#ring.length - 1);
  }

  #grow(): void {
    const length = Math.max(SMALLEST, this.#ring.length * 2);
    // Pushed one by one, so that the array has no holes and its elements stay fast.
    const ring: (T | undefined)[] = [];
    for (let i = 0; i < length; i++) ring.push(this.at(i));
    this.#ring = ring;
    this.#head = 0;
  }
}

/** A queue that says no instead of growing beyond its capacity. Its memory follows its size. */
export class BoundedQueue<T> {
  readonly capacity: number;
  readonly #items = new Deque<T>();

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get size(): number {
    return this.#items.size;
  }

  get full(): boolean {
    return this.#items.size >= this.capacity;
  }

  /** False when the queue is full; the item is not in it then. */
  push(item: T): boolean {
    if (this.full) return false;
    this.#items.push(item);
    return true;
  }

  shift(): T | undefined {
    return this.#items.shift();
  }

  peek(): T | undefined {
    return this.#items.peek();
  }

  at(index: number): T | undefined {
    return this.#items.at(index);
  }

  /** Removes up to count items from the head; returns how many. */
  drop(count: number): number {
    const dropped = Math.min(count, this.#items.size);
    for (let i = 0; i < dropped; i++) this.#items.shift();
    return dropped;
  }

  clear(): void {
    this.#items.clear();
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items[Symbol.iterator]();
  }
}
