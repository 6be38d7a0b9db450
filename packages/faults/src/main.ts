/** The fault suite's command line: `pnpm faults -- --help`. */
import { faults } from "./faults/index.ts";
import { help, type Options, readOptions, UsageError } from "./options.ts";
import { lineOf, slowIn, tableOf, textOf } from "./report.ts";
import { type Round, Suite } from "./suite.ts";
import { starters } from "./targets/index.ts";

const EXIT_USAGE = 2;

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function main(): Promise<boolean> {
  const options = readOptions(process.argv.slice(2));
  if (options === "help") print(help);
  else if (options === "list") for (const { name } of faults) print(name);
  else return run(options);
  return true;
}

async function run(options: Options): Promise<boolean> {
  const { seed, minutes, slack } = options;
  print(`faults: ${options.target}, ${minutes} min, --seed ${seed}`);
  const target = await starters[options.target]();
  try {
    const suite = new Suite(target, seed);
    const chosen = faults.filter((fault) => suite.suits(fault) && isChosen(fault.name, options));
    if (chosen.length === 0) throw new UsageError(`no such fault for ${target.name}: --list`);
    await suite.open();
    const rounds: Round[] = [];
    const slow: string[] = [];
    const end = suite.history.now + minutes * 60_000;
    for (let i = 0; suite.history.now < end; i++) {
      const fault = chosen[i % chosen.length];
      if (fault === undefined) break;
      const round = await suite.round(fault);
      rounds.push(round);
      print(lineOf(round));
      slow.push(...slowIn(round, slack));
      if (round.problems.size === 0) continue;
      print(textOf(round.problems));
      print(`--seed ${seed}; the history: ${suite.history.write(String(seed))}`);
      print(`what the processes said last:\n${target.output().slice(-40).join("\n")}`);
      return false;
    }
    await suite.close();
    print(tableOf(rounds));
    for (const line of slow) print(`TOO SLOW: ${line}`);
    return slow.length === 0;
  } finally {
    await target.stop();
  }
}

function isChosen(name: string, { faults: wanted }: Options): boolean {
  return wanted.length === 0 || wanted.some((text) => name.includes(text));
}

main().then(
  (isRight) => process.exit(isRight ? 0 : 1),
  (error: unknown) => {
    const isUsage = error instanceof UsageError;
    const text = error instanceof Error ? (isUsage ? error.message : error.stack) : String(error);
    process.stderr.write(`faults: ${text}\n`);
    process.exit(isUsage ? EXIT_USAGE : 1);
  },
);
