import { expect, test } from "vitest";
import { Expected, Received } from "./received.ts";

test("each message counts once, in whatever order", () => {
  const received = new Received();
  for (const sequence of [0, 2, 1, 100_000, 31, 32]) expect(received.add(sequence)).toBe(true);
  for (const sequence of [0, 100_000]) expect(received.add(sequence)).toBe(false);
  expect(received).toMatchObject({ distinct: 6, duplicates: 2 });
});

test("what is missing is what was sent less what is there", () => {
  const received = new Received();
  for (let sequence = 0; sequence < 10_000; sequence++) {
    if (sequence % 100 !== 7) received.add(sequence);
  }
  expect(10_000 - received.distinct).toBe(100);
});

test("a publisher that is not expected is not found", () => {
  const expected = new Expected();
  const received = expected.expect(5);
  expect(expected.of(5)).toBe(received);
  expect(expected.of(4)).toBeUndefined();
  expect([...expected.entries()]).toEqual([[5, received]]);
});
