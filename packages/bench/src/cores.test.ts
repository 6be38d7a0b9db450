import { expect, test } from "vitest";
import { divideCores, parseCores } from "./cores.ts";

test.each([
  ["0-3", [0, 1, 2, 3]],
  ["2", [2]],
  ["0-1,5,7-8", [0, 1, 5, 7, 8]],
  ["", []],
])("cores %j", (list, cores) => {
  expect(parseCores(list)).toEqual(cores);
});

test("the broker has the first, the generators the others", () => {
  expect(divideCores([4, 5, 7])).toEqual({ broker: "4", generator: "5,7", generatorCount: 2 });
});

test("nothing is pinned on a single core", () => {
  expect(divideCores([0])).toMatchObject({ broker: undefined, generator: undefined });
});
