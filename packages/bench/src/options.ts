import { parseArgs } from "node:util";
import { BROKER_NAMES, type BrokerName } from "./brokers/broker.ts";
import { type Cores, defaultCores } from "./cores.ts";

export class UsageError extends Error {}

export interface Options {
  readonly command: "run" | "fairness" | "growth" | "guard";
  readonly scenarios: readonly string[];
  /** Undefined: the command's own choice. */
  readonly brokers: readonly BrokerName[] | undefined;
  readonly warmup: number;
  readonly seconds: number;
  readonly repeat: number;
  readonly generators: number;
  readonly cores: Cores;
  readonly quick: boolean;
  readonly json: string | undefined;
  readonly svg: string | undefined;
  readonly max: number | undefined;
  readonly base: string | undefined;
  /** The top of the checkout whose broker is measured; this one without it. */
  readonly tree: string | undefined;
}

export const help = `pnpm bench [COMMAND] [OPTIONS]

Commands
  run (default)   throughput, latency, CPU and memory, beside Mosquitto and aedes
  fairness        what a busy client does to others
  growth          cost against the number of connections, subscriptions, messages, sessions
  guard           CPU per message, compared with another revision; fails if it has grown

Options
  --scenario NAME[,NAME]  only these; "list" lists them
  --brokers NAME[,NAME]   of canopy, mosquitto, aedes; run: all that are installed
  --seconds S             length of each measurement (4)
  --warmup S              before it (2)
  --repeat N              the median of so many runs is shown (3)
  --generators N          generator processes (2; not more than their cores)
  --quick                 2 s in all for each scenario, once: to see whether it works
  --json FILE             write everything there
  --tree DIR              measure the broker of another checkout
  --max N                 growth, fairness: the largest number of anything
  --svg FILE              growth: write the plot there
  --base REV              guard: compare with this revision (HEAD if there are changes, else HEAD~1)
`;

const QUICK = { warmup: 0.5, seconds: 1, repeat: 1 };
const USUAL = { warmup: 2, seconds: 4, repeat: 3 };

const flags = {
  scenario: { type: "string", multiple: true },
  brokers: { type: "string" },
  warmup: { type: "string" },
  seconds: { type: "string" },
  repeat: { type: "string" },
  generators: { type: "string" },
  quick: { type: "boolean", default: false },
  json: { type: "string" },
  svg: { type: "string" },
  max: { type: "string" },
  base: { type: "string" },
  tree: { type: "string" },
  help: { type: "boolean", default: false },
} as const;

/** Undefined if help is asked for. */
export function readOptions(argv: readonly string[]): Options | undefined {
  const { values, positionals } = parse(argv);
  if (values.help) return undefined;
  const usual = values.quick ? QUICK : USUAL;
  const cores = defaultCores();
  return {
    command: commandOf(positionals),
    scenarios: (values.scenario ?? []).flatMap((names) => names.split(",")),
    brokers: values.brokers?.split(",").map(brokerOf),
    warmup: positive("warmup", values.warmup) ?? usual.warmup,
    seconds: positive("seconds", values.seconds) ?? usual.seconds,
    repeat: positive("repeat", values.repeat) ?? usual.repeat,
    generators: positive("generators", values.generators) ?? Math.min(2, cores.generatorCount),
    cores,
    quick: values.quick,
    json: values.json,
    svg: values.svg,
    max: positive("max", values.max),
    base: values.base,
    tree: values.tree,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flags, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function commandOf(positionals: readonly string[]): Options["command"] {
  const [command = "run", ...more] = positionals;
  if (more.length > 0) throw new UsageError(`more than one command: ${positionals.join(" ")}`);
  if (command === "run" || command === "fairness") return command;
  if (command === "growth" || command === "guard") return command;
  throw new UsageError(`unknown command: ${command}`);
}

function brokerOf(name: string): BrokerName {
  const known = BROKER_NAMES.find((one) => one === name);
  if (known === undefined) throw new UsageError(`unknown broker: ${name}`);
  return known;
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0)) throw new UsageError(`--${name}: not a positive number: ${text}`);
  return value;
}
