import { expect, test } from "vitest";
import { left, number, right, table } from "./table.ts";

test("cells are padded to their column", () => {
  const text = table(
    [left("name"), right("value")],
    [
      ["a", "1"],
      ["longer", "10,000"],
    ],
  );
  expect(text).toBe(
    [
      "| name   |  value |",
      "| ------ | -----: |",
      "| a      |      1 |",
      "| longer | 10,000 |",
      "",
    ].join("\n"),
  );
});

test.each([
  [0, "0"],
  [0.12345, "0.123"],
  [12.345, "12.3"],
  [123.4, "123"],
  [1234, "1,230"],
  [987_654, "988,000"],
  [Number.NaN, "–"],
])("%d is written %s", (value, text) => {
  expect(number(value)).toBe(text);
});
