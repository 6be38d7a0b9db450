import { parseArgs } from "node:util";
import { BROKER_NAMES, type BrokerName } from "./brokers/broker.ts";
import { type Cores, defaultCores, withOthers } from "./cores.ts";

export class UsageError extends Error {}

const COMMANDS = ["run", "fairness", "growth", "guard"] as const;
export type Command = (typeof COMMANDS)[number];

/** What stands in the table beside what. */
const TARGETS = ["standalone", "cluster"] as const;
export type Target = (typeof TARGETS)[number];

export interface Options {
  readonly command: Command;
  readonly scenarios: readonly string[];
  /** Undefined: the command's own choice. */
  readonly brokers: readonly BrokerName[] | undefined;
  readonly target: Target;
  readonly warmup: number;
  readonly seconds: number;
  readonly repeat: number;
  readonly generators: number;
  readonly cores: Cores;
  readonly quick: boolean;
  readonly json: string | undefined;
  readonly svg: string | undefined;
  /** Results of earlier runs, to draw instead of measuring. */
  readonly from: readonly string[] | undefined;
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

Options (of run, fairness and growth, where nothing else is said)
  --scenario NAME[,NAME]  only these; "list" lists those of the command
  --target NAME           run: standalone (default), beside Mosquitto and aedes; cluster: a cluster with
                          one gateway, beside the standalone broker
  --brokers NAME[,NAME]   of canopy, cluster, mosquitto, aedes; run: all that are installed; growth: one
  --seconds S             length of each measurement (4)
  --warmup S              before it (2)
  --repeat N              run, fairness: so many runs, of which the median is shown (3)
  --generators N          run, growth, guard: processes (2; not more than their cores)
  --quick                 2 s in all for each scenario, once: to see whether it works
  --json FILE             all commands: write everything there
  --tree DIR              measure the broker of another checkout
  --max N                 growth, fairness: the largest number of anything, but in growth at least
                          the first size of each
  --svg FILE              growth: write the plot there
  --from FILE[,FILE]      growth: measure nothing, draw what --json of earlier runs has written
  --base REV              guard: compare with this revision (HEAD if there are changes, else HEAD~1)
`;

const QUICK = { warmup: 0.5, seconds: 1, repeat: 1 };
const USUAL = { warmup: 2, seconds: 4, repeat: 3 };

const CLUSTER_BROKERS: readonly BrokerName[] = ["canopy", "cluster"];

const flags = {
  scenario: { type: "string", multiple: true },
  target: { type: "string" },
  brokers: { type: "string" },
  warmup: { type: "string" },
  seconds: { type: "string" },
  repeat: { type: "string" },
  generators: { type: "string" },
  quick: { type: "boolean" },
  json: { type: "string" },
  svg: { type: "string" },
  from: { type: "string", multiple: true },
  max: { type: "string" },
  base: { type: "string" },
  tree: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

type Flag = keyof typeof flags;

const MEASURING = ["scenario", "brokers", "seconds", "warmup", "quick", "json", "tree"] as const;

/** Every other option would change nothing, so it is refused. */
const TAKES: Readonly<Record<Command, readonly Flag[]>> = {
  run: [...MEASURING, "target", "repeat", "generators"],
  fairness: [...MEASURING, "repeat", "max"],
  growth: [...MEASURING, "generators", "max", "svg", "from"],
  guard: ["base", "generators", "json"],
};
const DRAWING_TAKES: readonly Flag[] = ["from", "svg"];

/** Undefined if help is asked for. @throws UsageError */
export function readOptions(argv: readonly string[]): Options | undefined {
  const { values, positionals } = parse(argv);
  if (values.help === true) return undefined;
  const command = commandOf(positionals);
  refuseOthers(command, Object.keys(values) as Flag[]);
  const usual = values.quick === true ? QUICK : USUAL;
  const target = targetOf(values.target);
  const brokers = brokersOf(command, values.brokers, values.tree);
  const cores = coresFor(target, brokers);
  return {
    command,
    scenarios: listOf(values.scenario) ?? [],
    brokers: brokers ?? (target === "cluster" ? CLUSTER_BROKERS : undefined),
    target,
    warmup: positive("warmup", values.warmup) ?? usual.warmup,
    seconds: positive("seconds", values.seconds) ?? usual.seconds,
    repeat: whole("repeat", values.repeat) ?? usual.repeat,
    generators: whole("generators", values.generators) ?? Math.min(2, cores.generatorCount),
    cores,
    quick: values.quick ?? false,
    json: values.json,
    svg: values.svg,
    from: sourcesOf(values.from, values.svg),
    max: whole("max", values.max),
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

function commandOf(positionals: readonly string[]): Command {
  const [name = "run", ...more] = positionals;
  if (more.length > 0) throw new UsageError(`more than one command: ${positionals.join(" ")}`);
  const command = COMMANDS.find((one) => one === name);
  if (command !== undefined) return command;
  throw new UsageError(`unknown command: ${name}; there are: ${COMMANDS.join(", ")}`);
}

function refuseOthers(command: Command, given: readonly Flag[]): void {
  const isDrawing = command === "growth" && given.includes("from");
  const [what, takes] = isDrawing ? ["growth --from", DRAWING_TAKES] : [command, TAKES[command]];
  const other = given.find((flag) => !takes.includes(flag));
  if (other === undefined) return;
  const known = takes.map((flag) => `--${flag}`).join(", ");
  throw new UsageError(`--${other} does nothing in ${what}, which takes ${known}`);
}

function listOf(values: readonly string[] | undefined): readonly string[] | undefined {
  return values?.flatMap((names) => names.split(","));
}

function sourcesOf(
  from: readonly string[] | undefined,
  svg: string | undefined,
): readonly string[] | undefined {
  if (from !== undefined && svg === undefined) throw new UsageError("--from needs --svg FILE");
  return listOf(from);
}

function brokersOf(
  command: Command,
  names: string | undefined,
  tree: string | undefined,
): readonly BrokerName[] | undefined {
  if (names === undefined) return undefined;
  const brokers = [...new Set(names.split(",").map(brokerOf))];
  if (brokers.includes("cluster") && command !== "run") {
    throw new UsageError(`${command} measures no cluster`);
  }
  if (command === "growth" && brokers.length > 1) {
    throw new UsageError(`growth is that of one broker, not of ${names}`);
  }
  if (tree !== undefined && !brokers.includes("canopy")) {
    throw new UsageError(`--tree is a checkout of canopy, which is not among --brokers ${names}`);
  }
  return brokers;
}

function targetOf(name: string = TARGETS[0]): Target {
  const known = TARGETS.find((one) => one === name);
  if (known !== undefined) return known;
  throw new UsageError(`unknown target: ${name}; there are: ${TARGETS.join(", ")}`);
}

/** Everything that is in a run with a cluster has the same cores. */
function coresFor(target: Target, brokers: readonly BrokerName[] | undefined): Cores {
  const cores = defaultCores();
  const isCluster = target === "cluster" || brokers?.includes("cluster") === true;
  return isCluster ? withOthers(cores) : cores;
}

function brokerOf(name: string): BrokerName {
  const known = BROKER_NAMES.find((one) => one === name);
  if (known === undefined) {
    throw new UsageError(`unknown broker: ${name}; there are: ${BROKER_NAMES.join(", ")}`);
  }
  return known;
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) {
    throw new UsageError(`--${name}: not a positive number: ${text}`);
  }
  return value;
}

function whole(name: string, text: string | undefined): number | undefined {
  const value = positive(name, text);
  if (value !== undefined && !Number.isSafeInteger(value)) {
    throw new UsageError(`--${name}: not a whole number: ${text}`);
  }
  return value;
}
