import type { Broker } from "./brokers/broker.ts";
import type { LoadSpec } from "./generator/commands.ts";
import type { Counters, LoadResult, Mark } from "./generator/load.ts";
import type { Generators } from "./generators.ts";
import { Histogram } from "./histogram.ts";
import { brokerMemory, type CpuByRole, cpuByRole } from "./proc.ts";

/** A load without what follows from where it runs. */
export type LoadShape = Pick<LoadSpec, "publishers" | "subscribers" | "topics" | "qos"> &
  Partial<Pick<LoadSpec, "share" | "durable" | "size" | "window" | "rate" | "limit" | "coalesce">>;

/** What the scenarios measure with. */
export interface Bench {
  readonly broker: Broker;
  readonly generators: Generators;
  /** Seconds before the window, in the window, and without movement before messages are lost. */
  readonly warmup: number;
  readonly seconds: number;
  readonly drainIdle: number;
  /** Makes everything smaller, to try whether it works. */
  readonly quick: boolean;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What was found wrong; each is 0 in a good run. */
export type Faults = Pick<
  Counters,
  "refused" | "duplicates" | "outOfOrder" | "corrupted" | "misrouted" | "wrongQos"
> & {
  readonly lost: number;
  readonly unanswered: number;
  readonly errors: readonly string[];
};

export interface Measured {
  /** Per second, in the window. */
  readonly sent: number;
  readonly delivered: number;
  /** In milliseconds, from when a message was sent, or should have been, until it came. */
  readonly latency: Latency;
  /** Seconds of the broker's CPU per million deliveries. */
  readonly cpuPerMillion: number;
  /** The same of its processes by what they are. */
  readonly cpuByRole: CpuByRole;
  readonly brokerCores: number;
  readonly generatorCores: number;
  /** Bytes, at the end of the window. */
  readonly resident: number;
  readonly faults: Faults;
}

type Rates = Omit<Measured, "latency" | "faults">;

const LONGEST_DRAIN = 60_000;

let runs = 0;

/** A number that no other run of this process has. */
export function nextRun(): number {
  runs++;
  return ((process.pid * 65_536 + runs) >>> 0) | 1;
}

/** Half a millisecond between two looks keeps the generator cheaper than the broker. */
const COALESCE = 0.5;

export function specOf(bench: Bench, shape: LoadShape, prefix: string, index = 0): LoadSpec {
  const { host, port, version } = bench.broker;
  return {
    share: undefined,
    durable: false,
    size: 64,
    window: 20,
    rate: 0,
    limit: undefined,
    coalesce: (shape.rate ?? 0) > 0 ? 0 : COALESCE,
    ...shape,
    host,
    port,
    version,
    prefix,
    run: nextRun(),
    index,
    processes: bench.generators.all.length,
  };
}

/** Warm-up, window, drain: the course of all measurements with a steady load. */
export async function measureLoad(bench: Bench, shape: LoadShape): Promise<Measured> {
  await startLoad(bench, shape);
  await sleep(bench.warmup);
  const window = await measureWindow(bench, bench.seconds);
  return { ...window, ...(await endLoad(bench)) };
}

/** Connects and starts; `endLoad` ends it. One at a time for a set of generators. */
export async function startLoad(bench: Bench, shape: LoadShape): Promise<void> {
  await prepareLoad(bench, shape);
  await runLoad(bench);
}

/** Connects only: then `runLoad` and `pauseLoad` may take turns, and `endLoad` ends it. */
export async function prepareLoad(bench: Bench, shape: LoadShape): Promise<void> {
  const prefix = `bench${runs}`;
  await bench.generators.each("prepare", (index) => specOf(bench, shape, prefix, index));
}

export async function runLoad({ generators }: Bench): Promise<void> {
  await generators.each("start", () => null);
}

/** Rates of the running load over some seconds, or as long as something lasts. */
export async function measureWindow(
  bench: Bench,
  lasting: number | Promise<unknown>,
): Promise<Rates> {
  const begin = await mark(bench, "beginWindow");
  await (typeof lasting === "number" ? sleep(lasting) : lasting);
  const end = await mark(bench, "endWindow");
  return { ...between(begin, end), resident: brokerMemory(bench.broker) };
}

/** Stops publishing, waits for what is on its way, and checks that all of it came. */
export async function pauseLoad(
  { generators, drainIdle }: Bench,
  most: number = LONGEST_DRAIN,
): Promise<readonly LoadResult[]> {
  await generators.each("stop", () => null);
  const limits = { idle: drainIdle * 1000, most };
  return generators.each("drain", () => limits);
}

/** The same, and disconnects. */
export async function endLoad(
  bench: Bench,
  most: number = LONGEST_DRAIN,
): Promise<Pick<Measured, "latency" | "faults">> {
  const results = await pauseLoad(bench, most);
  await bench.generators.each("end", () => null);
  return { latency: latencyOf(results), faults: faultsOf(results) };
}

/** The generators' counters and the broker's CPU at one moment. */
export interface Moment {
  readonly marks: readonly Mark[];
  readonly time: number;
  /** Seconds. */
  readonly cpu: CpuByRole;
}

export async function mark(
  { broker, generators }: Bench,
  command: "mark" | "beginWindow" | "endWindow",
): Promise<Moment> {
  const time = performance.now() / 1000;
  const cpu = cpuByRole(broker);
  return { marks: await generators.each(command, () => null), time, cpu };
}

/** Rates of everything between two moments. */
export function between(begin: Moment, end: Moment): Omit<Rates, "resident"> {
  let sent = 0;
  let delivered = 0;
  let generatorCores = 0;
  end.marks.forEach((after, i) => {
    const before = begin.marks[i];
    if (before === undefined) return;
    const seconds = after.time - before.time;
    sent += (after.counters.sent - before.counters.sent) / seconds;
    delivered += (after.counters.delivered - before.counters.delivered) / seconds;
    generatorCores += (after.cpu - before.cpu) / seconds;
  });
  const seconds = end.time - begin.time;
  const perMillion = (cores: number): number => (delivered > 0 ? (cores / delivered) * 1e6 : 0);
  const used = Object.entries(end.cpu).map(([role, cpu]) => {
    return [role, (cpu - (begin.cpu[role as keyof CpuByRole] ?? 0)) / seconds] as const;
  });
  const brokerCores = used.reduce((sum, [, cores]) => sum + cores, 0);
  const cpuByRole = Object.fromEntries(used.map(([role, cores]) => [role, perMillion(cores)]));
  const cpuPerMillion = perMillion(brokerCores);
  return { sent, delivered, cpuPerMillion, cpuByRole, brokerCores, generatorCores };
}

/** Of all results together. */
export function latencyOf(results: readonly LoadResult[]): Latency {
  const histogram = new Histogram();
  for (const { latency } of results) histogram.merge(latency);
  const at = (share: number): number => histogram.percentile(share) / 1000;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}

export function faultsOf(results: readonly LoadResult[]): Faults {
  const sum = (of: (result: LoadResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  return {
    lost: sum(({ lost }) => lost),
    unanswered: sum(({ unanswered }) => unanswered),
    refused: sum(({ counters }) => counters.refused),
    duplicates: sum(({ counters }) => counters.duplicates),
    outOfOrder: sum(({ counters }) => counters.outOfOrder),
    corrupted: sum(({ counters }) => counters.corrupted),
    misrouted: sum(({ counters }) => counters.misrouted),
    wrongQos: sum(({ counters }) => counters.wrongQos),
    errors: results.flatMap(({ errors }) => errors),
  };
}

/** Empty if nothing was wrong. */
export function faultText(faults: Faults): string {
  const { errors, ...counts } = faults;
  const found = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`);
  return [...found, ...errors].join(", ");
}

export function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
