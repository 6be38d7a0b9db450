import { type Random, seededRandom } from "@canopy/base";

/** A run's size and chance, by the environment for long runs. */
export interface Plan {
  readonly seed: number;
  readonly rounds: number;
  readonly random: Random;
}

/** CANOPY_CRASH_SEED repeats a run, as far as processes can; CANOPY_CRASH_ROUNDS makes it longer. */
export function planned(name: string, rounds: number): Plan {
  const { CANOPY_CRASH_SEED: seedText, CANOPY_CRASH_ROUNDS: roundsText } = process.env;
  const seed = seedText === undefined ? Date.now() % 1_000_000_007 : Number(seedText);
  const plan = { seed, rounds: Number(roundsText ?? rounds), random: seededRandom(seed) };
  console.log(`${name}: CANOPY_CRASH_SEED=${seed} CANOPY_CRASH_ROUNDS=${plan.rounds}`);
  return plan;
}
