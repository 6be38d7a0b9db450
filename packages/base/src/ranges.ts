import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { DecodeError } from "./errors.ts";

/**
 * A set of safe integers ≥ 0 as sorted, disjoint, inclusive ranges that never touch.
 *
 * Adding in ascending order is O(1) amortised; elsewhere it is a binary search and one move of
 * what lies behind. Numbers that are not neighbours cost a range each, so it also serves as a
 * sorted set of points.
 */
export class RangeSet {
  #firsts: number[] = [];
  #lasts: number[] = [];

  /** How many ranges. */
  get size(): number {
    return this.#firsts.length;
  }

  get isEmpty(): boolean {
    return this.#firsts.length === 0;
  }

  /** How many numbers; O(ranges). */
  get count(): number {
    let count = 0;
    for (let i = 0; i < this.#firsts.length; i++) count += this.#last(i) - this.#first(i) + 1;
    return count;
  }

  /** The smallest number. */
  get min(): number | undefined {
    return this.#firsts[0];
  }

  /** The largest number. */
  get max(): number | undefined {
    return this.#lasts[this.#lasts.length - 1];
  }

  has(n: number): boolean {
    const i = this.#reaching(n);
    return i < this.#firsts.length && this.#first(i) <= n;
  }

  /** False when it was there already. */
  add(n: number): boolean {
    if (this.has(n)) return false;
    this.addRange(n, n);
    return true;
  }

  /** Adds first to last, both inclusive. */
  addRange(first: number, last: number): void {
    if (last < first) throw new RangeError(`a range from ${first} to ${last}`);
    // The ranges from `from` up to but without `to` touch or overlap the new one: one takes their place.
    const from = this.#reaching(first - 1);
    let to = from;
    while (to < this.#firsts.length && this.#first(to) <= last + 1) to++;
    if (to === from) {
      this.#insert(from, first, last);
      return;
    }
    this.#firsts[from] = Math.min(first, this.#first(from));
    this.#lasts[from] = Math.max(last, this.#last(to - 1));
    this.#cut(from + 1, to);
  }

  /** Removes every number ≤ n. */
  removeUpTo(n: number): void {
    const kept = this.#reaching(n + 1);
    this.#cut(0, kept);
    if (this.#firsts.length > 0 && this.#first(0) <= n) this.#firsts[0] = n + 1;
  }

  /**
   * Removes what a floor ("everything up to here") covers, and the numbers that follow it without
   * a gap; returns the floor with them.
   */
  advance(floor: number): number {
    this.removeUpTo(floor);
    if (this.min !== floor + 1) return floor;
    const raised = this.#last(0);
    this.#cut(0, 1);
    return raised;
  }

  clear(): void {
    this.#firsts.length = 0;
    this.#lasts.length = 0;
  }

  clone(): RangeSet {
    const copy = new RangeSet();
    copy.#firsts = this.#firsts.slice();
    copy.#lasts = this.#lasts.slice();
    return copy;
  }

  equals(other: RangeSet): boolean {
    if (this.size !== other.size) return false;
    for (let i = 0; i < this.size; i++) {
      if (this.#first(i) !== other.#first(i) || this.#last(i) !== other.#last(i)) return false;
    }
    return true;
  }

  /** Ascending, without allocating. */
  forEach(visit: (first: number, last: number) => void): void {
    for (let i = 0; i < this.#firsts.length; i++) visit(this.#first(i), this.#last(i));
  }

  /** The ranges as [first, last], ascending. */
  *[Symbol.iterator](): Generator<[number, number]> {
    for (let i = 0; i < this.#firsts.length; i++) yield [this.#first(i), this.#last(i)];
  }

  /** The number of ranges, then for each its distance from the one before and its length - 1. */
  encode(writer: ByteWriter): void {
    writer.varint(this.size);
    let previous = 0;
    for (let i = 0; i < this.size; i++) {
      writer.varint(this.#first(i) - previous);
      writer.varint(this.#last(i) - this.#first(i));
      previous = this.#last(i);
    }
  }

  static decode(reader: ByteReader): RangeSet {
    const set = new RangeSet();
    const size = reader.varint();
    let previous = 0;
    for (let i = 0; i < size; i++) {
      const gap = reader.varint();
      // Touching ranges would have been one; accepting them would break equality.
      if (i > 0 && gap < 2) throw new DecodeError("ranges touch");
      const first = previous + gap;
      previous = first + reader.varint();
      if (previous > Number.MAX_SAFE_INTEGER) throw new DecodeError("range beyond 2^53 - 1");
      set.#firsts.push(first);
      set.#lasts.push(previous);
    }
    return set;
  }

  #first(i: number): number {
    return this.#firsts[i] as number;
  }

  #last(i: number): number {
    return this.#lasts[i] as number;
  }

  /** The index of the first range that reaches n, that is, ends at n or later. */
  #reaching(n: number): number {
    let high = this.#lasts.length;
    // Most additions are at the end.
    if (high === 0 || this.#last(high - 1) < n) return high;
    let low = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#last(middle) < n) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(at: number, first: number, last: number): void {
    if (at === this.#firsts.length) {
      this.#firsts.push(first);
      this.#lasts.push(last);
    } else {
      this.#firsts.splice(at, 0, first);
      this.#lasts.splice(at, 0, last);
    }
  }

  /** Removes the ranges from `from` up to but without `to`. */
  #cut(from: number, to: number): void {
    if (to <= from) return;
    this.#firsts.splice(from, to - from);
    this.#lasts.splice(from, to - from);
  }
}
