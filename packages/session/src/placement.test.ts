import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { groupOf, groupOfIncarnation, nextIncarnation } from "./placement.ts";

describe("the group of a client", () => {
  test("is a contract: what is on disk was placed by it", () => {
    const groups = ["", "client", "client-1", "sensor/17", "zähler"].map((id) => groupOf(id, 4));
    expect(groups).toEqual([4, 4, 2, 2, 4]);
    expect(groupOf("client", 1)).toBe(1);
  });

  test("is any of them about as often", () => {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 10_000; i++) counts[groupOf(`client-${i}`, 4) - 1]!++;
    for (const count of counts) expect(Math.abs(count - 2_500)).toBeLessThan(200);
  });
});

test("incarnations of all groups differ, grow, and say whose they are", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), (groups) => {
      const seen = new Set<number>();
      for (let group = 1; group <= groups; group++) {
        let last = 0;
        for (let i = 0; i < 5; i++) {
          const next = nextIncarnation(last, { shards: 1, groups, group });
          expect(next).toBeGreaterThan(last);
          expect(groupOfIncarnation(next, groups)).toBe(group);
          expect(seen.has(next)).toBe(false);
          seen.add(next);
          last = next;
        }
      }
    }),
  );
});
