import { parseArgs } from "node:util";

export class UsageError extends Error {}

export interface Options {
  readonly target: "cluster" | "standalone";
  readonly minutes: number;
  readonly seed: number;
  /** Only these; empty: all that suit the target. */
  readonly faults: readonly string[];
  /** By how much the limits of the issue are multiplied, for machines that are busy. */
  readonly slack: number;
  /** Not the product as it is, but with one deliberate bug after the other. */
  readonly defects: boolean;
}

export const help = `pnpm faults -- [options]

  --target cluster|standalone   what is tried (cluster)
  --minutes N                   for how long; each round is ended (5)
  --seed N                      repeats the choices of a run, as far as processes can
  --fault NAME                  only faults with this in their name; may be repeated
  --slack N                     how many times the limits a recovery may take (2)
  --defects                     each deliberate bug until it is caught; --fault NAME: only such
  --list                        says which faults there are
`;

/** Undefined where the help was asked for. */
export function readOptions(args: readonly string[]): Options | "help" | "list" {
  const { values } = parse(args.filter((arg, i) => !(i === 0 && arg === "--")));
  if (values.help) return "help";
  if (values.list) return "list";
  const { target = "cluster", minutes, seed, fault = [], slack } = values;
  if (target !== "cluster" && target !== "standalone") {
    throw new UsageError(`--target: cluster or standalone, not ${target}`);
  }
  return {
    target,
    minutes: number("minutes", minutes, values.defects ? 2 : 5),
    seed: number("seed", seed, Date.now() % 1_000_000_007),
    faults: fault,
    slack: number("slack", slack, 2),
    defects: values.defects ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        target: { type: "string" },
        minutes: { type: "string" },
        seed: { type: "string" },
        fault: { type: "string", multiple: true },
        slack: { type: "string" },
        defects: { type: "boolean" },
        list: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function number(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) {
    throw new UsageError(`--${name}: not a positive number: ${text}`);
  }
  return value;
}
