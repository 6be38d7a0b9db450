/** The command lines of the simulation and of its mutants. A wrong one is refused: it would run nothing. */
import { availableParallelism } from "node:os";
import { type ParseArgsConfig, parseArgs } from "node:util";

export interface SimOptions {
  /** These, or fresh random ones for so many seconds, or one alone. */
  readonly seeds: { readonly first: number; readonly last: number };
  readonly seconds: number | undefined;
  readonly seed: number | undefined;
  readonly trace: boolean;
  readonly lines: number;
  readonly workers: number;
}

export interface MutantsOptions {
  readonly only: string;
  readonly seeds: number;
  readonly workers: number;
}

export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Throws a UsageError. */
export function simOptions(argv: readonly string[]): SimOptions {
  const text = { type: "string" } as const;
  const values = parse(argv, {
    seeds: text,
    seconds: text,
    seed: text,
    trace: { type: "boolean" },
    lines: text,
    workers: text,
  });
  const { seeds, seconds, seed, trace = false, lines, workers } = values;
  if ([seeds, seconds, seed].filter((one) => one !== undefined).length > 1) {
    throw new UsageError("--seeds, --seconds and --seed exclude each other");
  }
  if ((trace || lines !== undefined) && seed === undefined) {
    throw new UsageError("--trace and --lines need --seed");
  }
  return {
    seeds: rangeOf(seeds ?? "1..1000"),
    seconds: seconds === undefined ? undefined : numberOf("seconds", seconds, 1),
    seed: seed === undefined ? undefined : numberOf("seed", seed, 0),
    trace,
    lines: lines === undefined ? Number.MAX_SAFE_INTEGER : numberOf("lines", lines, 1),
    workers: workersOf(workers),
  };
}

/** Throws a UsageError. */
export function mutantsOptions(argv: readonly string[]): MutantsOptions {
  const text = { type: "string" } as const;
  const values = parse(argv, { only: text, seeds: text, workers: text });
  const { only = "", seeds = "3000", workers } = values;
  return { only, seeds: numberOf("seeds", seeds, 1), workers: workersOf(workers) };
}

/** Reads with `read`; what is wrong is one line, and the process ends with 2. */
export function orRefuse<T>(read: (argv: readonly string[]) => T): T {
  try {
    return read(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message} (docs/raft-simulation.md)`);
    process.exit(2);
  }
}

function parse<const T extends NonNullable<ParseArgsConfig["options"]>>(
  argv: readonly string[],
  options: T,
) {
  // pnpm hands its own "--" on.
  const args = argv.filter((arg) => arg !== "--");
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function rangeOf(text: string): SimOptions["seeds"] {
  const [, from, to] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to ?? from)];
  if (!(first <= last)) throw new UsageError(`--seeds takes a seed or FIRST..LAST, not ${text}`);
  return { first, last };
}

function workersOf(text: string | undefined): number {
  return text === undefined ? availableParallelism() : numberOf("workers", text, 1);
}

function numberOf(option: string, text: string, least: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least) return number;
  throw new UsageError(`--${option} takes a whole number from ${least} on, not ${text}`);
}
