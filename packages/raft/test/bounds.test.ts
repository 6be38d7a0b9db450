// What waits in the core, or is on its way from it, is bounded.
import { expect, test } from "vitest";
import { MAX_READS } from "../src/core/read-index.ts";
import { of, Rig } from "./paper/rig.ts";

/** Appends to replica 2 that hold something. */
function sent(rig: Rig): number {
  return of(rig.pump(), "append").filter(({ to, entries }) => to === 2 && entries.length > 0)
    .length;
}

test("appends that are not answered, in bytes", () => {
  const rig = new Rig({ options: { maxInflightAppends: 100, maxInflightBytes: 100 } });
  rig.lead();
  rig.accept(2, 2);
  const counts: number[] = [];
  for (let i = 0; i < 5; i++) {
    rig.core.propose([Buffer.alloc(50)]);
    counts.push(sent(rig));
  }
  expect(counts).toEqual([1, 1, 0, 0, 0]);
  expect(rig.core.progress().get(2)).toMatchObject({ next: 5, inflight: 2 });
  const out = of(rig.accept(2, 4), "append").filter(({ to }) => to === 2);
  expect(out.map(({ entries }) => entries.map(({ index }) => index))).toEqual([[5, 6, 7]]);
});

test("reads that wait for a quorum at a leader, those of before its first commit included", () => {
  const rig = new Rig();
  rig.lead();
  expect(rig.core.readIndex(1)).toBe(true);
  rig.accept(2, 2);
  for (let context = 2; context <= MAX_READS; context++) {
    expect(rig.core.readIndex(context)).toBe(true);
  }
  expect(rig.core.readIndex(MAX_READS + 1)).toBe(false);
  rig.pump();
  const beat = { type: "heartbeatAnswer", from: 2, to: 1, term: 2, context: 1 } as const;
  rig.core.step(beat);
  expect(rig.core.readIndex(MAX_READS + 1)).toBe(true);
});

test("reads that wait for the leader's answer at a follower", () => {
  const rig = new Rig();
  rig.append({ term: 2, prev: [1, 1], terms: [2] });
  for (let context = 1; context <= MAX_READS; context++) {
    expect(rig.core.readIndex(context)).toBe(true);
  }
  expect(rig.core.readIndex(MAX_READS + 1)).toBe(false);
});
