/**
 * Runs every mutant, or those whose name has the given text, until the simulation catches it:
 *
 *     pnpm --filter raft mutants -- [--only TEXT] [--seeds 3000] [--workers N]
 *
 * Ends with 0 only if all were caught.
 */
import { mutantsOptions, orRefuse } from "../options.ts";
import { hunt, type Verdict } from "./hunt.ts";
import { mutants } from "./list.ts";
import type { Mutant } from "./mutant.ts";

const { only, seeds: most, workers } = orRefuse(mutantsOptions);

function print({ mutant, end, seeds, why }: Verdict): void {
  console.log(`${mutant.name.padEnd(76)} ${end} after ${String(seeds).padStart(4)} seeds  ${why}`);
}

async function all(wanted: readonly Mutant[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const left = [...wanted];
  const worker = async (): Promise<void> => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const verdict = await hunt(mutant, most, (line) => console.log(line));
      verdicts.push(verdict);
      print(verdict);
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return verdicts;
}

const began = performance.now();
const wanted = mutants.filter(({ name }) => name.includes(only));
const verdicts = await all(wanted);
const others = verdicts.filter(({ end }) => end !== "caught");
const caught = verdicts.length - others.length;
const seconds = ((performance.now() - began) / 1000).toFixed(0);
console.log(`${caught} of ${wanted.length} mutants caught in ${seconds} s`);
if (others.length > 0) console.log("not caught:");
for (const verdict of others) print(verdict);
process.exitCode = wanted.length > 0 && caught === wanted.length ? 0 : 1;
