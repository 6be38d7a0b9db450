import { expect, test } from "vitest";
import { type Series, sizesUpTo } from "./series.ts";
import { growthSvg, niceTop } from "./svg.ts";

test("sizes are tenfold, and end where they should", () => {
  expect(sizesUpTo(100, 10_000)).toEqual([100, 1000, 10_000]);
  expect(sizesUpTo(1000, 5000)).toEqual([1000, 5000]);
  expect(sizesUpTo(1000, 1000)).toEqual([1000]);
});

test.each([
  [0, 1],
  [0.7, 1],
  [1, 1],
  [1.1, 2],
  [3, 5],
  [60, 100],
  [120, 200],
])("an axis for %d ends at %d", (value, top) => {
  expect(niceTop(value)).toBeCloseTo(top);
});

const series = (name: string): Series => ({
  name,
  title: "retained < & >",
  of: "messages",
  figures: [
    { name: "message", unit: "µs" },
    { name: "memory", unit: "B" },
  ],
  points: [
    { size: 1000, figures: { message: 2, memory: 1e9 } },
    { size: 1_000_000, figures: { message: 4 } },
  ],
  faults: "",
});

test("a plot has a panel for each series and a point for each size", () => {
  const svg = growthSvg([series("one"), series("other")]);
  expect(svg.match(/<g /g)).toHaveLength(2);
  expect(svg.match(/<circle /g)).toHaveLength(4);
  expect(svg).toContain("retained &lt; &amp; >");
  expect(svg).toContain(">1M<");
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

test("a single size is drawn too", () => {
  const { points, ...rest } = series("one");
  expect(growthSvg([{ ...rest, points: points.slice(0, 1) }])).not.toMatch(/NaN|Infinity/);
});
