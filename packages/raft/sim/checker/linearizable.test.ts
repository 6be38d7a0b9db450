import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Call, linearizable } from "./linearizable.ts";
import { type RegisterInput, register } from "./register.ts";

type History = Call<RegisterInput, number>[];

const read = (called: number, returned: number, output?: number): Call<RegisterInput, number> => ({
  input: { kind: "read" },
  output,
  called,
  returned,
});
const write = (called: number, returned: number, value: number): Call<RegisterInput, number> => ({
  input: { kind: "write", value },
  output: undefined,
  called,
  returned,
});
const cas = (
  called: number,
  returned: number,
  from: number,
  value: number,
  output?: number,
): Call<RegisterInput, number> => ({
  input: { kind: "cas", from, value },
  output,
  called,
  returned,
});
const NEVER = Number.POSITIVE_INFINITY;

describe("linearizable histories of a register", () => {
  const cases: [string, History][] = [
    ["nothing", []],
    ["one after another", [write(1, 2, 7), read(3, 4, 7)]],
    ["a read beside a write sees the old value", [write(1, 4, 7), read(2, 3, 0)]],
    ["a read beside a write sees the new value", [write(1, 4, 7), read(2, 3, 7)]],
    ["a write without an answer is seen late", [write(1, NEVER, 7), read(2, 3, 0), read(4, 5, 7)]],
    ["a write without an answer is never seen", [write(1, NEVER, 7), read(2, 3, 0), read(4, 5, 0)]],
    ["compare and set", [write(1, 2, 1), cas(3, 4, 1, 2, 1), cas(5, 6, 1, 3, 0), read(7, 8, 2)]],
    ["a compare-and-set whose answer was lost", [cas(1, 2, 0, 5), read(3, 4, 5)]],
    [
      "concurrent writes, and a read that decides",
      [write(1, 10, 1), write(2, 9, 2), read(3, 4, 2), read(5, 6, 1)],
    ],
  ];
  test.each(cases)("%s", (_, history) => {
    expect(linearizable(register, history)).toBe(true);
  });
});

describe("histories of a register that are not linearizable", () => {
  const cases: [string, History][] = [
    ["a stale read", [write(1, 2, 7), read(3, 4, 0)]],
    ["a value from nowhere", [read(1, 2, 9)]],
    ["new, then old again", [write(1, 10, 7), read(2, 3, 7), read(4, 5, 0)]],
    ["a lost write", [write(1, 2, 1), write(3, 4, 2), read(5, 6, 1)]],
    ["two compare-and-sets win", [cas(1, 4, 0, 1, 1), cas(2, 3, 0, 2, 1)]],
    ["a compare-and-set fails without a reason", [cas(1, 2, 0, 1, 0)]],
    ["an unanswered write is seen before it was asked for", [read(1, 2, 7), write(3, NEVER, 7)]],
    [
      "two readers see two writes in different order",
      [write(1, 20, 1), write(2, 19, 2), read(3, 4, 1), read(5, 6, 2), read(7, 8, 1)],
    ],
  ];
  test.each(cases)("%s", (_, history) => {
    expect(linearizable(register, history)).toBe(false);
  });
});

/** Tries every order: right by being dull. */
function everyOrder(history: History): boolean {
  const go = (state: number, left: History): boolean => {
    if (left.every((call) => call.returned === NEVER)) return true;
    return left.some((call) => {
      if (left.some((other) => other.returned < call.called)) return false;
      const next = register.step(state, call.input, call.output);
      return (
        next !== undefined &&
        go(
          next,
          left.filter((other) => other !== call),
        )
      );
    });
  };
  return go(register.initial, history);
}

test("agrees with a search through every order", () => {
  const small = fc.integer({ min: 0, max: 2 });
  const input: fc.Arbitrary<RegisterInput> = fc.oneof(
    fc.constant({ kind: "read" as const }),
    fc.record({ kind: fc.constant("write" as const), value: small }),
    fc.record({ kind: fc.constant("cas" as const), from: small, value: small }),
  );
  const call = fc.record({
    input,
    output: fc.option(small, { nil: undefined }),
    start: fc.integer({ min: 0, max: 12 }),
    length: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
  });
  const counts = { yes: 0, no: 0 };
  fc.assert(
    fc.property(fc.array(call, { maxLength: 6 }), (calls) => {
      const history = calls.map(({ input, output, start, length }, i) => {
        const called = start * 100 + i;
        const returned = length === undefined ? NEVER : (start + length) * 100 + 50 + i;
        return { input, output, called, returned };
      });
      const expected = everyOrder(history);
      counts[expected ? "yes" : "no"]++;
      expect(linearizable(register, history)).toBe(expected);
    }),
    { numRuns: 1000, seed: 42 },
  );
  expect(Math.min(counts.yes, counts.no)).toBeGreaterThan(100);
});
