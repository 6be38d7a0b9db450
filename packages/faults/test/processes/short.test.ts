import { expect, test } from "vitest";
import { run } from "../../src/run.ts";

const { CANOPY_FAULTS_SEED: seedText } = process.env;
const seed = seedText === undefined ? Date.now() % 1_000_000_007 : Number(seedText);

/** Machines that run tests are busy. */
const SLACK = 4;

/** One of each kind; `pnpm faults` tries all. */
const chosen = new Set([
  "kill broker",
  "kill gateway",
  "pause gateway",
  "kill leader of group 1",
  "kill store owner",
  "cut off session node",
]);

test.each(["standalone", "cluster"] as const)(
  "promises are kept through faults: %s",
  {
    timeout: 600_000,
  },
  async (target) => {
    console.log(`CANOPY_FAULTS_SEED=${seed}`);
    const { wrong, rounds } = await run({
      target,
      seed,
      minutes: 0,
      slack: SLACK,
      isChosen: ({ name }) => chosen.has(name),
      print: (text) => console.log(text),
    });
    expect(wrong).toEqual([]);
    expect(rounds.length).toBeGreaterThan(0);
  },
);
