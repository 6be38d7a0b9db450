import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";

test("small values are exact", () => {
  const histogram = new Histogram();
  for (let value = 1; value <= 100; value++) histogram.add(value);
  expect([0.01, 0.5, 0.99, 1].map((share) => histogram.percentile(share))).toEqual([
    1, 50, 99, 100,
  ]);
});

test.each([127, 128, 129, 255, 256, 1000, 65_535, 1_000_000, 2 ** 31, 2 ** 32 - 1])(
  "%d is found again within 0.8 %%",
  (value) => {
    const histogram = new Histogram();
    histogram.add(value);
    expect(Math.abs(histogram.percentile(0.5) - value) / value).toBeLessThan(0.008);
  },
);

test("percentiles of many values", () => {
  const histogram = new Histogram();
  for (let value = 0; value < 100_000; value++) histogram.add(value);
  for (const share of [0.1, 0.5, 0.9, 0.99, 0.999]) {
    expect(histogram.percentile(share) / (share * 100_000)).toBeCloseTo(1, 1.5);
  }
});

test("merging what another process counted", () => {
  const [one, other] = [new Histogram(), new Histogram()];
  one.add(10);
  other.add(10_000);
  other.add(10_000);
  one.merge(JSON.parse(JSON.stringify(other.data())));
  expect(one.total).toBe(3);
  expect(one.percentile(0.3)).toBe(10);
  expect(one.percentile(0.5)).toBe(other.percentile(0.5));
});

test("nothing was added", () => {
  expect(new Histogram().percentile(0.99)).toBe(0);
});
