/**
 * The command line of the simulation:
 *
 *     --seeds 1..1000     these seeds (after the recorded ones)
 *     --seconds 180       fresh random seeds for so long
 *     --seed 7 --trace    one seed, with everything that happens in it
 *     --workers 3         default: one per core
 */
import { orRefuse, simOptions } from "./options.ts";
import { runSeeds } from "./pool.ts";
import { recordedSeeds } from "./recorded.ts";
import { type RunResult, runSeed } from "./run.ts";
import { Tally } from "./tally.ts";

const TRACE_LINES = 200;
const MAX_SEED = 2 ** 31;

const options = orRefuse(simOptions);

/** The recorded ones, then a range, or fresh ones until the time is over. */
function* wanted(): Generator<number> {
  yield* recordedSeeds();
  if (options.seconds !== undefined) {
    const end = performance.now() + 1000 * options.seconds;
    while (performance.now() < end) yield Math.floor(Math.random() * MAX_SEED);
    return;
  }
  const { first, last } = options.seeds;
  for (let seed = first; seed <= last; seed++) yield seed;
}

async function many(): Promise<boolean> {
  const tally = new Tally();
  const seeds = wanted();
  const began = performance.now();
  const failed = await runSeeds({
    workers: options.workers,
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
  const lines = options.trace ? options.lines : 0;
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

const ok = await (options.seed === undefined ? many() : one(options.seed));
process.exitCode = ok ? 0 : 1;
