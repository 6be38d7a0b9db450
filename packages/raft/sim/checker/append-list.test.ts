import { describe, expect, test } from "vitest";
import { type Append, checkList, type Read } from "./append-list.ts";

const append = (value: number, called: number, returned: number, position?: number): Append => ({
  value,
  called,
  returned,
  position,
});
const read = (values: number[], called: number, returned: number): Read => ({
  values,
  called,
  returned,
});
const NEVER = Number.POSITIVE_INFINITY;

describe("good histories of a list", () => {
  const cases: [string, Append[], Read[]][] = [
    ["nothing", [], []],
    ["one after another", [append(1, 1, 2, 0), append(2, 3, 4, 1)], [read([1, 2], 5, 6)]],
    ["a read beside an append", [append(1, 1, 4)], [read([], 2, 3), read([1], 5, 6)]],
    [
      "an append without an answer, seen late",
      [append(1, 1, NEVER)],
      [read([], 2, 3), read([1], 4, 5)],
    ],
    ["never read", [append(1, 1, 2, 0), append(2, 3, 4, 1)], []],
  ];
  test.each(cases)("%s", (_, appends, reads) => {
    expect(checkList(appends, reads)).toBeUndefined();
  });
});

describe("bad histories of a list", () => {
  const two = [append(1, 1, 2), append(2, 3, 4)];
  const beside = [append(1, 1, 9), append(2, 2, 8)];
  const cases: [string, RegExp, Append[], Read[]][] = [
    ["two orders", /two reads differ/, beside, [read([1, 2], 3, 4), read([2], 5, 6)]],
    ["a value from nowhere", /never appended/, [], [read([7], 1, 2)]],
    ["twice", /twice/, [append(1, 1, 2)], [read([1, 1], 3, 4)]],
    ["a stale read", /was not read/, two, [read([1], 5, 6)]],
    ["shrinks", /a later read/, beside, [read([1, 2], 3, 4), read([1], 5, 6)]],
    ["against the order of time", /had been answered before/, two, [read([2, 1], 5, 6)]],
    ["read before it was asked for", /too early/, [append(1, 3, 4)], [read([1], 1, 2)]],
    [
      "elsewhere than answered",
      /is not there/,
      [append(1, 1, 4, 1), append(2, 2, 3)],
      [read([1, 2], 5, 6)],
    ],
    ["lost", /missing before/, [append(1, 1, 2), append(2, 3, NEVER)], [read([2], 1, 9)]],
    [
      "answered with places against time",
      /answered before/,
      [append(1, 1, 2, 1), append(2, 3, 4, 0)],
      [],
    ],
  ];
  test.each(cases)("%s", (_, message, appends, reads) => {
    expect(checkList(appends, reads)).toMatch(message);
  });
});
