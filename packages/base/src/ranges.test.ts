import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { DecodeError } from "./errors.ts";
import { RangeSet } from "./ranges.ts";

function setOf(...ranges: [number, number][]): RangeSet {
  const set = new RangeSet();
  for (const [first, last] of ranges) set.addRange(first, last);
  return set;
}

function encoded(set: RangeSet): Buffer {
  const writer = new ByteWriter();
  set.encode(writer);
  return writer.take();
}

type Step = (set: RangeSet, model: Set<number>, n: number, last: number) => [unknown, unknown];

/** What a step returns, and what it should. */
const STEPS: Record<"add" | "addRange" | "removeUpTo" | "advance", Step> = {
  add(set, model, n) {
    const isNew = !model.has(n);
    model.add(n);
    return [set.add(n), isNew];
  },
  addRange(set, model, n, last) {
    for (let i = n; i <= last; i++) model.add(i);
    return [set.addRange(n, last), undefined];
  },
  removeUpTo(set, model, n) {
    for (const m of model) if (m <= n) model.delete(m);
    return [set.removeUpTo(n), undefined];
  },
  advance(set, model, n) {
    for (const m of model) if (m <= n) model.delete(m);
    let floor = n;
    while (model.delete(floor + 1)) floor++;
    return [set.advance(n), floor];
  },
};

describe("RangeSet", () => {
  test("neighbours join, in any order", () => {
    const set = new RangeSet();
    for (const n of [5, 1, 3, 2, 4]) expect(set.add(n)).toBe(true);
    expect(set.add(3)).toBe(false);
    expect([...set]).toEqual([[1, 5]]);
  });

  test("a range swallows what it covers and touches", () => {
    const set = setOf([0, 1], [10, 12], [20, 25], [40, 41]);
    set.addRange(2, 21);
    expect([...set]).toEqual([
      [0, 25],
      [40, 41],
    ]);
    expect(set.count).toBe(28);
    expect([set.min, set.max, set.size]).toEqual([0, 41, 2]);
  });

  test("advance: a floor takes what follows it without a gap", () => {
    const set = setOf([5, 7], [9, 9]);
    expect(set.advance(3)).toBe(3);
    expect(set.advance(4)).toBe(7);
    expect([...set]).toEqual([[9, 9]]);
    expect(set.advance(20)).toBe(20);
    expect(set.isEmpty).toBe(true);
  });

  test("offsets near 2^53 are exact", () => {
    const set = setOf([Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER - 1]);
    set.add(Number.MAX_SAFE_INTEGER);
    expect([...RangeSet.decode(new ByteReader(encoded(set)))]).toEqual([
      [Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER],
    ]);
  });

  test("a clone is independent", () => {
    const set = setOf([1, 2]);
    const clone = set.clone();
    clone.add(9);
    expect(set.equals(setOf([1, 2]))).toBe(true);
    expect(clone.equals(set)).toBe(false);
    set.clear();
    expect(set.isEmpty).toBe(true);
    expect(clone.has(1)).toBe(true);
  });

  test("refuses a range that ends before it begins", () => {
    expect(() => setOf([2, 1])).toThrow(RangeError);
  });

  test("decode refuses ranges that touch or leave the safe integers", () => {
    for (const values of [
      [2, 0, 0, 1, 0],
      [1, Number.MAX_SAFE_INTEGER, 1],
    ]) {
      const writer = new ByteWriter();
      for (const value of values) writer.varint(value);
      expect(() => RangeSet.decode(new ByteReader(writer.view()))).toThrow(DecodeError);
    }
  });

  test("agrees with a set of numbers", () => {
    const change = fc.record({
      kind: fc.constantFrom(...Object.keys(STEPS)),
      n: fc.nat(60),
      length: fc.nat(8),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 50 }), (changes) => {
        const set = new RangeSet();
        const model = new Set<number>();
        for (const { kind, n, length } of changes) {
          const step = STEPS[kind as keyof typeof STEPS];
          const [got, wanted] = step(set, model, n, n + length);
          expect(got).toBe(wanted);
        }
        expect(numbersOf(set)).toEqual([...model].sort((a, b) => a - b));
        expect(set.count).toBe(model.size);
        for (let n = 0; n < 70; n++) expect(set.has(n)).toBe(model.has(n));
        const copy = RangeSet.decode(new ByteReader(encoded(set)));
        expect(copy.equals(set)).toBe(true);
      }),
    );
  });
});

/** Also shows that ranges are ascending and never touch. */
function numbersOf(set: RangeSet): number[] {
  const numbers: number[] = [];
  let previous = -2;
  set.forEach((first, last) => {
    expect(first).toBeGreaterThan(previous + 1);
    for (let n = first; n <= last; n++) numbers.push(n);
    previous = last;
  });
  return numbers;
}
