import { expect, test } from "vitest";
import { fillIn } from "./bulk.ts";

test.each([
  ["a/{i}", 1234, "a/1234"],
  ["a/{i/100}/{i%100}", 1234, "a/12/34"],
  ["a/b/+", 5, "a/b/+"],
])("%s for %d", (template, i, text) => {
  expect(fillIn(template, i)).toBe(text);
});
