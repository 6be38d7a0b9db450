/**
 * The command line of the simulation:
 *
 *     --seeds 1..1000     these seeds (after the recorded ones)
 *     --seconds 180       fresh random seeds for so long
 *     --seed 7 --trace    one seed, with everything that happens in it
 *     --workers 3         default: one per core
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { runSeeds } from "./pool.ts";
import { recordedSeeds } from "./recorded.ts";
import { type RunResult, runSeed } from "./run.ts";
import { Tally } from "./tally.ts";

const TRACE_LINES = 200;
const MAX_SEED = 2 ** 31;

const { values } = parseArgs({
  // pnpm hands its own "--" on.
  args: process.argv.slice(2).filter((arg) => arg !== "--"),
  options: {
    seeds: { type: "string" },
    seconds: { type: "string" },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    lines: { type: "string" },
    workers: { type: "string" },
  },
});

/** The recorded ones, then a range, or fresh ones until the time is over. */
function* wanted(): Generator<number> {
  yield* recordedSeeds();
  if (values.seconds !== undefined) {
    const end = performance.now() + 1000 * Number(values.seconds);
    while (performance.now() < end) yield Math.floor(Math.random() * MAX_SEED);
    return;
  }
  const [first = 1, last = first] = (values.seeds ?? "1..1000").split("..").map(Number);
  for (let seed = first; seed <= last; seed++) yield seed;
}

async function many(): Promise<boolean> {
  const tally = new Tally();
  const seeds = wanted();
  const began = performance.now();
  const failed = await runSeeds({
    workers: Number(values.workers ?? availableParallelism()),
    next: () => seeds.next().value as number | undefined,
    onResult: (result) => tally.add(result),
  });
  tally.print((performance.now() - began) / 1000);
  if (failed?.failure === undefined) return true;
  console.log(`\nseed ${failed.seed} violates: ${failed.failure.message}`);
  if (failed.failure.invariant === "a seed ends") return false;
  console.log(`\nits last events (all of them: --seed ${failed.seed} --trace):`);
  print(await runSeed(failed.seed, TRACE_LINES), TRACE_LINES);
  return false;
}

async function one(seed: number): Promise<boolean> {
  const lines = values.trace ? Number(values.lines ?? Number.MAX_SAFE_INTEGER) : 0;
  const result = await runSeed(seed, lines);
  print(result, lines);
  const tally = new Tally();
  tally.add(result);
  tally.print(1);
  console.log(`hash ${result.hash.toString(16)}`);
  return result.failure === undefined;
}

function print({ seed, failure, lines }: RunResult, last: number): void {
  for (const line of lines.slice(-Math.min(last, lines.length))) console.log(line);
  if (failure !== undefined) console.log(`\nseed ${seed} violates: ${failure.message}`);
}

const ok = await (values.seed === undefined ? many() : one(Number(values.seed)));
process.exitCode = ok ? 0 : 1;
