// Crude errors are found here in a second; the simulation (sim/) looks deeper, through the real storage.
import { expect, test } from "vitest";
import { Chaos } from "./cluster/chaos.ts";

const STEPS = 2000;
const SEEDS = 300;

function run(seed: number): string {
  const chaos = new Chaos(seed);
  try {
    for (let step = 0; step < STEPS; step++) chaos.step();
    chaos.heal();
    return "";
  } catch (error) {
    return `seed ${seed}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

test("whatever happens: one leader per term, matching logs, nothing committed is lost, reads are fresh", () => {
  const failures: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const failure = run(seed);
    if (failure !== "") failures.push(failure);
  }
  expect(failures).toEqual([]);
}, 60_000);
