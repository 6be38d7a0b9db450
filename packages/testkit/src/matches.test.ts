import { expect, test } from "vitest";
import { matches } from "./matches.ts";

test.each([
  [{ a: 1, b: 2 }, { a: 1 }, true],
  [{ a: 1 }, { a: 1, b: undefined }, true],
  [{ a: 1, b: 2 }, { b: undefined }, false],
  [{ a: { b: 1, c: 2 } }, { a: { c: 2 } }, true],
  [{ a: { b: 1 } }, { a: { c: 2 } }, false],
  [{ a: 1 }, { a: { b: 1 } }, false],
  [{ a: [1, 2] }, { a: [1, 2] }, true],
  [{ a: [1, 2] }, { a: [1] }, false],
  [{ a: [{ b: 1, c: 2 }] }, { a: [{ b: 1 }] }, true],
  [{ a: Buffer.from("x") }, { a: "x" }, true],
  [{ a: Buffer.from("x") }, { a: Uint8Array.of(0x78) }, true],
  [{ a: Buffer.from("x") }, { a: Buffer.from("y") }, false],
  [{ a: "x" }, { a: "x" }, true],
  [{ a: 0 }, { a: false }, false],
  [{ a: null }, { a: {} }, false],
  [undefined, {}, false],
])("%j has what %j expects: %s", (actual, expected, answer) => {
  expect(matches(actual, expected)).toBe(answer);
});

test("fields without a prototype count like any other", () => {
  const actual = Object.assign(Object.create(null), { a: 1 });
  expect(matches(actual, { a: 1 })).toBe(true);
});
