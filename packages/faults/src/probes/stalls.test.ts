import { expect, test } from "vitest";
import { Stalls } from "./stalls.ts";

test("the longest attempt counts, from the moment of the fault", () => {
  const stalls = new Stalls();
  stalls.begin(0)(90);
  const end = stalls.begin(100);
  expect(stalls.longestSince(150, 170)).toBe(20);
  end(400);
  stalls.begin(410)(420);
  expect(stalls.longestSince(150, 500)).toBe(250);
  expect(stalls.longestSince(50, 500)).toBe(300);
});

test("it works again when what was begun later has succeeded", () => {
  const stalls = new Stalls();
  stalls.begin(100)(400);
  expect(stalls.hasSucceededSince(150)).toBe(false);
  const end = stalls.begin(401);
  expect(stalls.hasSucceededSince(150)).toBe(false);
  end(410);
  expect(stalls.hasSucceededSince(150)).toBe(true);
});
