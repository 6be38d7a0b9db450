/** The fault suite's command line: `pnpm faults -- --help`. */
import { hunt } from "./defects/hunt.ts";
import { faults } from "./faults/index.ts";
import { help, type Options, readOptions, UsageError } from "./options.ts";
import { run } from "./run.ts";

const EXIT_USAGE = 2;
const EXIT_STOPPED = 130;

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function main(): Promise<boolean> {
  const options = readOptions(process.argv.slice(2));
  if (options === "help") print(help);
  else if (options === "list") for (const { name } of faults) print(name);
  else if (options.defects) return hunt({ ...options, only: options.faults, print });
  else return tried(options);
  return true;
}

async function tried(options: Options): Promise<boolean> {
  const { target, seed, minutes, faults: names } = options;
  print(`faults: ${target}, ${minutes} min, --seed ${seed}`);
  const isChosen = ({ name }: { readonly name: string }): boolean =>
    names.length === 0 || names.some((text) => name.includes(text));
  const { wrong } = await run({ ...options, isChosen, print });
  for (const text of wrong) print(text);
  return wrong.length === 0;
}

// Its processes do not outlive it: see where they are started.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => process.exit(EXIT_STOPPED));
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
