import { expect, test } from "vitest";
import { median, medianDeviation, medianOf } from "./statistics.ts";

test("median", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test("median deviation ignores one wild value", () => {
  expect(medianDeviation([10, 11, 9, 10, 1000])).toBe(1);
});

test("the item with the median value", () => {
  const items = [{ n: 5 }, { n: 1 }, { n: 3 }];
  expect(medianOf(items, ({ n }) => n)).toEqual({ n: 3 });
  expect(medianOf([{ n: 2 }, { n: 1 }], ({ n }) => n)).toEqual({ n: 1 });
  expect(medianOf([], () => 0)).toBeUndefined();
});
