import { expect, test } from "vitest";
import { type Series, sizesUpTo } from "./series.ts";
import { decades, growthSvg } from "./svg.ts";

test("sizes are tenfold, and end where they should", () => {
  expect(sizesUpTo(100, 10_000)).toEqual([100, 1000, 10_000]);
  expect(sizesUpTo(1000, 5000)).toEqual([1000, 5000]);
  expect(sizesUpTo(1000, 1000)).toEqual([1000]);
});

test.each([
  [[], [1, 10]],
  [
    [0, 3],
    [1, 10],
  ],
  [
    [1, 10],
    [1, 10],
  ],
  [
    [1.5, 11],
    [1, 10, 100],
  ],
  [
    [0.5, 2],
    [0.1, 1, 10],
  ],
])("an axis for %j has the marks %j", (values, marks) => {
  expect(decades(values)).toEqual(marks.map((mark) => expect.closeTo(mark)));
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
