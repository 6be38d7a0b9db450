import { expect, test } from "vitest";
import { divideCores, parseCores, withOthers } from "./cores.ts";

test.each([
  ["0-3", [0, 1, 2, 3]],
  ["2", [2]],
  ["0-1,5,7-8", [0, 1, 5, 7, 8]],
  ["", []],
])("cores %j", (list, cores) => {
  expect(parseCores(list)).toEqual(cores);
});

test("the broker has the first, the generators the others", () => {
  expect(divideCores([4, 5, 7])).toEqual({
    broker: "4",
    generator: "5,7",
    generatorCount: 2,
    others: undefined,
  });
});

test("nothing is pinned on a single core", () => {
  expect(divideCores([0])).toMatchObject({ broker: undefined, generator: undefined });
});

test("what a cluster has beside its gateway has a core between the broker's and the generators'", () => {
  expect(withOthers(divideCores([0, 1, 2, 3]))).toEqual({
    broker: "0",
    others: "1",
    generator: "2,3",
    generatorCount: 2,
  });
  expect(withOthers(divideCores([0, 1]))).toMatchObject({ others: "1", generator: "1" });
  expect(withOthers(divideCores([0]))).toMatchObject({ others: undefined, generator: undefined });
});
