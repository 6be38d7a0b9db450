/** A key and when it is due. */
export interface Deadline<K> {
  readonly key: K;
  readonly deadline: number;
}

/**
 * A binary min-heap of deadlines, at most one per key.
 *
 * Equal deadlines come in the order of their keys, so what is popped depends on the content
 * alone and never on its history: replicas that hold the same deadlines agree on the order.
 */
export class DeadlineHeap<K extends string | number> {
  readonly #keys: K[] = [];
  readonly #deadlines: number[] = [];
  readonly #slots = new Map<K, number>();

  get size(): number {
    return this.#keys.length;
  }

  has(key: K): boolean {
    return this.#slots.has(key);
  }

  deadlineOf(key: K): number | undefined {
    const slot = this.#slots.get(key);
    return slot === undefined ? undefined : this.#deadlines[slot];
  }

  /** Adds the key or moves it; O(log n). */
  set(key: K, deadline: number): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) {
      this.#keys.push(key);
      this.#deadlines.push(deadline);
      this.#up(this.#keys.length - 1, key, deadline);
    } else {
      this.#settle(slot, key, deadline);
    }
  }

  /** False when the key was not there; O(log n). */
  remove(key: K): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    this.#slots.delete(key);
    const lastKey = this.#keys.pop() as K;
    const lastDeadline = this.#deadlines.pop() as number;
    if (slot < this.#keys.length) this.#settle(slot, lastKey, lastDeadline);
    return true;
  }

  /** The earliest, without removing it. */
  peek(): Deadline<K> | undefined {
    if (this.#keys.length === 0) return undefined;
    return { key: this.#keys[0] as K, deadline: this.#deadlines[0] as number };
  }

  /** The earliest deadline; Infinity when empty. */
  next(): number {
    return this.#deadlines[0] ?? Number.POSITIVE_INFINITY;
  }

  /** Removes and returns the keys with a deadline ≤ now, earliest first, at most max. */
  popDue(now: number, max: number = Number.POSITIVE_INFINITY): K[] {
    const due: K[] = [];
    while (this.size > 0 && due.length < max && this.next() <= now) {
      const key = this.#keys[0] as K;
      this.remove(key);
      due.push(key);
    }
    return due;
  }

  clear(): void {
    this.#keys.length = 0;
    this.#deadlines.length = 0;
    this.#slots.clear();
  }

  /** In no particular order. */
  *[Symbol.iterator](): Generator<Deadline<K>> {
    for (let i = 0; i < this.#keys.length; i++) {
      yield { key: this.#keys[i] as K, deadline: this.#deadlines[i] as number };
    }
  }

  #isBefore(key: K, deadline: number, slot: number): boolean {
    const other = this.#deadlines[slot] as number;
    return deadline < other || (deadline === other && key < (this.#keys[slot] as K));
  }

  /** Puts an element into a slot whose content is void, then moves it where it belongs. */
  #settle(slot: number, key: K, deadline: number): void {
    if (slot > 0 && this.#isBefore(key, deadline, (slot - 1) >> 1)) this.#up(slot, key, deadline);
    else this.#down(slot, key, deadline);
  }

  #up(from: number, key: K, deadline: number): void {
    let slot = from;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!this.#isBefore(key, deadline, parent)) break;
      this.#write(slot, this.#keys[parent] as K, this.#deadlines[parent] as number);
      slot = parent;
    }
    this.#write(slot, key, deadline);
  }

  #down(from: number, key: K, deadline: number): void {
    let slot = from;
    for (;;) {
      const child = this.#smallerChild(slot);
      if (child < 0 || this.#isBefore(key, deadline, child)) break;
      this.#write(slot, this.#keys[child] as K, this.#deadlines[child] as number);
      slot = child;
    }
    this.#write(slot, key, deadline);
  }

  /** -1 for a leaf. */
  #smallerChild(slot: number): number {
    const left = 2 * slot + 1;
    const right = left + 1;
    if (left >= this.#keys.length) return -1;
    if (right >= this.#keys.length) return left;
    const rightFirst = this.#isBefore(
      this.#keys[right] as K,
      this.#deadlines[right] as number,
      left,
    );
    return rightFirst ? right : left;
  }

  #write(slot: number, key: K, deadline: number): void {
    this.#keys[slot] = key;
    this.#deadlines[slot] = deadline;
    this.#slots.set(key, slot);
  }
}
