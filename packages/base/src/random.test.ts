import { describe, expect, test } from "vitest";
import { pick, randomBool, randomInt, seededRandom, shuffle } from "./random.ts";

function firstOf(seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: 5 }, () => randomInt(random, 1000));
}

describe("seededRandom", () => {
  test("a seed gives the same sequence in every version", () => {
    expect(firstOf(0)).toEqual([886, 12, 32, 24, 612]);
    expect(firstOf(20_261_123)).toEqual([698, 49, 963, 754, 326]);
  });

  test("seeds differ, also beyond 32 bits", () => {
    expect(firstOf(1)).not.toEqual(firstOf(2));
    expect(firstOf(1)).not.toEqual(firstOf(1 + 2 ** 32));
  });

  test("is uniform enough in [0, 1)", () => {
    const random = seededRandom(7);
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 100_000; i++) {
      const x = random.next();
      const bucket = Math.floor(x * 10);
      buckets[bucket] = (buckets[bucket] as number) + 1;
    }
    expect(buckets.length).toBe(10);
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});

describe("helpers", () => {
  test("randomInt stays below its bound, beyond 32 bits too", () => {
    const random = seededRandom(1);
    let largest = 0;
    for (let i = 0; i < 1000; i++) {
      const x = randomInt(random, 2 ** 50);
      expect(Number.isSafeInteger(x)).toBe(true);
      largest = Math.max(largest, x);
    }
    expect(largest).toBeGreaterThan(2 ** 49);
    expect(largest).toBeLessThan(2 ** 50);
  });

  test("randomBool obeys its probability", () => {
    const random = seededRandom(1);
    expect(randomBool(random, 0)).toBe(false);
    expect(randomBool(random, 1)).toBe(true);
    let yes = 0;
    for (let i = 0; i < 10_000; i++) yes += randomBool(random, 0.2) ? 1 : 0;
    expect(Math.abs(yes - 2000)).toBeLessThan(200);
  });

  test("pick and shuffle lose nothing", () => {
    const random = seededRandom(1);
    const items = [1, 2, 3, 4, 5];
    expect(items).toContain(pick(random, items));
    expect(shuffle(random, [...items]).toSorted((a, b) => a - b)).toEqual(items);
    expect(() => pick(random, [])).toThrow(RangeError);
  });
});
