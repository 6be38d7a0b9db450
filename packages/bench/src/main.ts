/** The benchmark's command line: `pnpm bench --help`. */
import { writeFile } from "node:fs/promises";
import { BROKER_NAMES, isOurs } from "./brokers/broker.ts";
import { isInstalled } from "./brokers/index.ts";
import { clusterTable } from "./cluster-report.ts";
import { compare } from "./compare.ts";
import { fairness, fairnessTable } from "./fairness/fairness.ts";
import { growth, growthTable } from "./growth/growth.ts";
import { readSeries } from "./growth/read.ts";
import { growthSvg } from "./growth/svg.ts";
import { guard, guardTable } from "./guard/guard.ts";
import { NoBase } from "./guard/revision.ts";
import { describeMachine, machineText } from "./machine.ts";
import { help, type Options, readOptions, UsageError } from "./options.ts";
import { preflight, requireWritable, scenariosOf } from "./preflight.ts";
import { detailTable, summaryTable } from "./report.ts";

const EXIT_USAGE = 2;
/** Nothing was wrong, and nothing was found out. */
const EXIT_SKIPPED = 3;

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(help);
  } else if (options.scenarios.includes("list")) {
    for (const { name } of scenariosOf[options.command]) process.stdout.write(`${name}\n`);
  } else if (options.from !== undefined && options.svg !== undefined) {
    await draw(options.from, options.svg);
  } else {
    await run(options);
  }
}

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** What a command found, and whether that is a failure: being slow is one only to the guard. */
interface Outcome {
  readonly results: unknown;
  readonly isWrong: boolean;
}

const commands: Readonly<Record<Options["command"], (options: Options) => Promise<Outcome>>> = {
  run: async (options) => {
    // One that was asked for by name would have been refused.
    const missing = BROKER_NAMES.filter((name) => !isInstalled(name));
    if (options.brokers === undefined && missing.length > 0) {
      print(`not installed, so left out: ${missing.join(", ")}\n`);
    }
    const results = await compare(options, (some) => print(detailTable(some)));
    if (options.target === "cluster") print(clusterTable(results));
    else if (results.some(({ broker }) => broker === "canopy")) print(summaryTable(results));
    const wrong = results.filter(({ broker, row }) => isOurs(broker) && row.faults !== "");
    return { results, isWrong: wrong.length > 0 };
  },
  fairness: async (options) => {
    const results = await fairness(options, ({ title }) => print(`measured: ${title}`));
    print(`\n${fairnessTable(results)}`);
    const wrong = results.filter(({ broker, faults }) => broker === "canopy" && faults !== "");
    return { results, isWrong: wrong.length > 0 };
  },
  growth: async (options) => {
    const results = await growth(options, (series) => print(`\n${growthTable(series)}`), print);
    return { results, isWrong: results.some(({ faults }) => faults !== "") };
  },
  guard: async (options) => {
    const results = await guard(options, print);
    if (results.length > 0) print(guardTable(results));
    const bad = results.filter(({ hasGrown, faults }) => hasGrown || faults !== "");
    return { results, isWrong: bad.length > 0 };
  },
};

async function draw(from: readonly string[], svg: string): Promise<void> {
  const all = await readSeries(from);
  await requireWritable("svg", svg);
  await writeFile(svg, growthSvg(all));
  print(`${svg}: ${all.map(({ name }) => name).join(", ")}`);
}

async function run(options: Options): Promise<void> {
  await preflight(options);
  const machine = await describeMachine();
  print(machineText(machine));
  const { results, isWrong } = await commands[options.command](options);
  if (options.json !== undefined) {
    await writeFile(options.json, `${JSON.stringify({ machine, results }, undefined, 2)}\n`);
  }
  if (isWrong) process.exitCode = 1;
}

main().catch((error: unknown) => {
  if (error instanceof NoBase) {
    process.stderr.write(`*** bench guard is SKIPPED: ${error.message} ***\n`);
    process.exit(EXIT_SKIPPED);
  }
  const isUsage = error instanceof UsageError;
  const text = isUsage ? `${error.message}\n(--help says what there is)` : errorText(error);
  process.stderr.write(`bench: ${text}\n`);
  process.exit(isUsage ? EXIT_USAGE : 1);
});

function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
