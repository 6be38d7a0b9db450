import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bucketOf, pageOf, SplitMap } from "./split-map.ts";

const ascending = (a: number, b: number) => a - b;

describe("a split map", () => {
  test("is a map", () => {
    const step = fc.record({ key: fc.nat(20_000), value: fc.option(fc.nat(9)) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const split = new SplitMap<number, number>(pageOf);
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
    const split = new SplitMap<number, number>(pageOf);
    for (let i = 1; i < 30_000; i++) split.set(i, i);
    expect([...split.values()]).toEqual(Array.from({ length: 29_999 }, (_, i) => i + 1));
  });

  test("gives what stays once while others come and go", () => {
    const split = new SplitMap<string, number>(bucketOf);
    for (let i = 0; i < 5_000; i++) split.set(`stays-${i}`, i);
    for (let i = 0; i < 5_000; i++) split.set(`goes-${i}`, -1);
    const seen: number[] = [];
    let turn = 0;
    for (const value of split.values()) {
      if (value >= 0) seen.push(value);
      if (turn >= 5_000) continue;
      split.delete(`goes-${turn}`);
      split.set(`comes-${turn++}`, -1);
    }
    expect(seen.sort(ascending)).toEqual(Array.from({ length: 5_000 }, (_, i) => i));
    expect(split.size).toBe(10_000);
  });

  test("spreads names that differ in a number only", () => {
    const counts = new Map<number, number>();
    for (let i = 0; i < 100_000; i++) {
      const bucket = bucketOf(`devices/${i}/commands`);
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
    expect(counts.size).toBe(512);
    expect(Math.max(...counts.values())).toBeLessThan(400);
  });
});
