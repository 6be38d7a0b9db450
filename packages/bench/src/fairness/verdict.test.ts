import { expect, test } from "vitest";
import type { Latency } from "../measure.ts";
import { share, slowdown, stall } from "./verdict.ts";

const turns = (...values: readonly number[]): readonly Latency[] =>
  values.map((value) => ({ p50: 0, p99: value, p999: value, max: value }));

test("one turn with too long a wait misses the target, however good the others are", () => {
  expect(stall({ quiet: turns(1, 2, 3), busy: turns(4, 5, 21) })).toMatchObject({
    quiet: 3,
    busy: 21,
    measure: 21,
    isMet: false,
    turns: "median turn 5",
  });
});

test("no turn with too long a wait meets it", () => {
  expect(stall({ quiet: turns(1), busy: turns(4, 5, 19.9) }).isMet).toBe(true);
  expect(stall({ quiet: turns(1), busy: turns(20) }).isMet).toBe(false);
});

test("a p99 is compared in the median turn, and the worst is shown", () => {
  expect(slowdown({ quiet: turns(1, 2, 9), busy: turns(5, 6, 90) })).toMatchObject({
    quiet: 2,
    busy: 6,
    measure: 3,
    isMet: true,
    turns: "worst turn 90",
  });
  expect(slowdown({ quiet: turns(1), busy: turns(3.1) }).isMet).toBe(false);
});

test("throughput may fall to 70 %", () => {
  expect(share(1000, 700)).toMatchObject({ measure: 0.7, isMet: true });
  expect(share(1000, 690).isMet).toBe(false);
});
