import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SplitMap } from "./split-map.ts";

const ascending = (a: number, b: number) => a - b;

describe("a split map", () => {
  test("is a map", () => {
    const step = fc.record({ key: fc.nat(20_000), value: fc.option(fc.nat(9)) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const split = new SplitMap<number>();
        const map = new Map<number, number>();
        const deleted = steps.map(({ key, value }) => {
          if (value === null) return split.delete(key) === map.delete(key);
          split.set(key, value);
          map.set(key, value);
          return true;
        });
        expect(deleted).not.toContain(false);
        for (const { key } of steps) expect(split.get(key)).toBe(map.get(key));
        expect(split.size).toBe(map.size);
        expect([...split.values()].sort(ascending)).toEqual([...map.values()].sort(ascending));
      }),
    );
  });

  test("keeps the order of numbers that grow", () => {
    const split = new SplitMap<number>();
    for (let i = 1; i < 30_000; i++) split.set(i, i);
    expect([...split.values()]).toEqual(Array.from({ length: 29_999 }, (_, i) => i + 1));
  });

  test("gives what stays once while others come and go", () => {
    // Every third stays; the others are in the same parts.
    const split = new SplitMap<number>();
    const numbers = Array.from({ length: 15_000 }, (_, i) => i);
    for (const i of numbers) split.set(i, i % 3 === 0 ? i : -1);
    const goes = numbers.filter((i) => i % 3 !== 0);
    const seen: number[] = [];
    let turn = 0;
    for (const value of split.values()) {
      if (value >= 0) seen.push(value);
      const gone = goes[turn];
      if (gone === undefined) continue;
      split.delete(gone);
      split.set(20_000 + turn++, -1);
    }
    expect(seen).toEqual(numbers.filter((i) => i % 3 === 0));
    expect(split.size).toBe(15_000);
  });
});
