/**
 * Runs every mutant, or those whose name has the given text, until the simulation catches it:
 *
 *     pnpm --filter raft mutants -- [--only TEXT] [--seeds 3000] [--workers N]
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { runSeeds } from "../pool.ts";
import { mutants } from "./list.ts";
import type { Mutant } from "./mutant.ts";

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== "--"),
  options: {
    only: { type: "string", default: "" },
    seeds: { type: "string", default: "3000" },
    workers: { type: "string" },
  },
});

interface Verdict {
  readonly mutant: Mutant;
  readonly seeds: number;
  /** Undefined: it lived. */
  readonly invariant: string | undefined;
}

/** A bug may make a run endless. */
const PATIENCE = 60_000;

async function hunt(mutant: Mutant, last: number): Promise<Verdict> {
  let seed = 0;
  for (;;) {
    const failed = await runSeeds({
      workers: 1,
      mutant: mutant.name,
      patience: PATIENCE,
      next: () => (seed < last ? ++seed : undefined),
      onResult: () => undefined,
    });
    if (failed === undefined) return { mutant, seeds: seed, invariant: undefined };
    // What fails without the bug as well shows nothing.
    if (await isClean(failed.seed)) {
      return { mutant, seeds: failed.seed, invariant: failed.failure?.invariant };
    }
    console.log(`seed ${failed.seed} fails also without "${mutant.name}"`);
    seed = failed.seed;
  }
}

async function isClean(seed: number): Promise<boolean> {
  let next: number | undefined = seed;
  const failed = await runSeeds({
    workers: 1,
    next: () => {
      const one = next;
      next = undefined;
      return one;
    },
    onResult: () => undefined,
  });
  return failed === undefined;
}

async function all(wanted: readonly Mutant[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const left = [...wanted];
  const worker = async (): Promise<void> => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const verdict = await hunt(mutant, Number(values.seeds));
      verdicts.push(verdict);
      const end = verdict.invariant === undefined ? "LIVES after" : "caught after";
      const seeds = `${end} ${String(verdict.seeds).padStart(4)} seeds`;
      console.log(`${mutant.name.padEnd(76)} ${seeds}  ${verdict.invariant ?? ""}`);
    }
  };
  const count = Number(values.workers ?? availableParallelism());
  await Promise.all(Array.from({ length: count }, worker));
  return verdicts;
}

const began = performance.now();
const verdicts = await all(mutants.filter(({ name }) => name.includes(values.only)));
const alive = verdicts.filter(({ invariant }) => invariant === undefined);
const seconds = ((performance.now() - began) / 1000).toFixed(0);
console.log(
  `${verdicts.length - alive.length} of ${verdicts.length} mutants caught in ${seconds} s`,
);
process.exitCode = alive.length === 0 && verdicts.length > 0 ? 0 : 1;
