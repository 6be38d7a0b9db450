/** The benchmark's command line: `pnpm bench --help`. */
import { writeFile } from "node:fs/promises";
import { compare } from "./compare.ts";
import { describeMachine, machineText } from "./machine.ts";
import { help, type Options, readOptions, UsageError } from "./options.ts";
import { detailTable, summaryTable } from "./report.ts";
import { scenarios } from "./scenarios/index.ts";

const EXIT_USAGE = 2;

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(help);
  } else if (options.scenarios.includes("list")) {
    for (const { name } of scenarios) process.stdout.write(`${name}\n`);
  } else {
    await run(options);
  }
}

async function run(options: Options): Promise<void> {
  const machine = await describeMachine();
  process.stdout.write(`${machineText(machine)}\n`);
  const results = await compare(options, (some) => process.stdout.write(`${detailTable(some)}\n`));
  process.stdout.write(`${summaryTable(results)}\n`);
  if (options.json !== undefined) {
    await writeFile(options.json, `${JSON.stringify({ machine, results }, undefined, 2)}\n`);
  }
  const isWrong = results.some(({ broker, row }) => broker === "canopy" && row.faults !== "");
  if (isWrong) process.exitCode = 1;
}

main().catch((error: unknown) => {
  const text = error instanceof UsageError ? `${error.message}\n\n${help}` : errorText(error);
  process.stderr.write(`bench: ${text}\n`);
  process.exit(error instanceof UsageError ? EXIT_USAGE : 1);
});

function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
