import { expect, test } from "vitest";
import { type Pair, verdictOf } from "./verdict.ts";

const pairs = (...ratios: readonly number[]): Pair[] =>
  ratios.map((ratio) => ({ base: 2, ours: 2 * ratio }));

test("the same cost, with noise", () => {
  const verdict = verdictOf(pairs(0.9, 1.1, 1, 1.02, 0.97, 1.3, 0.8));
  expect(verdict).toMatchObject({ base: 2, ratio: 1, hasGrown: false });
});

test("clearly more", () => {
  const verdict = verdictOf(pairs(1.3, 1.32, 1.29, 1.3, 1.31, 1.28));
  expect(verdict.ratio).toBeCloseTo(1.3);
  expect(verdict.hasGrown).toBe(true);
});

test("15 % is allowed", () => {
  expect(verdictOf(pairs(1.14, 1.15, 1.13, 1.14)).hasGrown).toBe(false);
});

test("more, but not more than the noise", () => {
  expect(verdictOf(pairs(1.2, 0.8, 1.6, 1.1, 1.3, 1.9)).hasGrown).toBe(false);
});
