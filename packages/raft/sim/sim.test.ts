import { describe, expect, test } from "vitest";
import { recordedSeeds } from "./recorded.ts";
import { runSeed } from "./run.ts";

const FRESH_MS = 15_000;
const MAX_SEED = 2 ** 31;

describe("the simulation", () => {
  test.each(recordedSeeds())(
    "seed %i, which once failed",
    async (seed) => {
      const { failure } = await runSeed(seed);
      expect(failure).toBeUndefined();
    },
    30_000,
  );

  test("fresh seeds", async () => {
    const end = performance.now() + FRESH_MS;
    let seeds = 0;
    while (performance.now() < end) {
      const seed = Math.floor(Math.random() * MAX_SEED);
      const { failure } = await runSeed(seed);
      expect(failure, `seed ${seed}`).toBeUndefined();
      seeds++;
    }
    expect(seeds).toBeGreaterThan(0);
  }, 60_000);

  test("the same seed does the same twice", async () => {
    for (const seed of [11, 12, 13]) {
      const first = await runSeed(seed, 100);
      const second = await runSeed(seed, 100);
      expect(second.hash).toBe(first.hash);
      expect(second.lines).toEqual(first.lines);
      expect(second.counts).toEqual(first.counts);
    }
  }, 30_000);

  test("another seed does something else", async () => {
    const hashes = new Set<number>();
    for (const seed of [11, 12, 13]) hashes.add((await runSeed(seed)).hash);
    expect(hashes.size).toBe(3);
  }, 30_000);

  test("a trace is read without a change of what happens", async () => {
    expect((await runSeed(21, 1_000_000)).hash).toBe((await runSeed(21)).hash);
  }, 30_000);
});
