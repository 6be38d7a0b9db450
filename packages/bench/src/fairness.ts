/** `bench fairness`: what a busy client does to others. */
import type { BrokerName } from "./brokers/broker.ts";
import {
  type Bench,
  endLoad,
  faultText,
  type Latency,
  type LoadShape,
  latencyOf,
  measureWindow,
  pauseLoad,
  prepareLoad,
  runLoad,
  sleep,
  specOf,
  startLoad,
} from "./measure.ts";
import type { Options } from "./options.ts";
import { withTwo } from "./session.ts";
import { median, medianOf } from "./statistics.ts";
import { left, number, right, table } from "./table.ts";

export interface FairnessRow {
  readonly broker: BrokerName;
  readonly title: string;
  readonly unit: string;
  readonly quiet: number;
  readonly busy: number;
  /** What the target is about. */
  readonly measure: number;
  readonly target: string;
  readonly isMet: boolean;
  /** What the busy client did meanwhile. */
  readonly note: string;
  readonly faults: string;
}

const SLOW: LoadShape = { publishers: 100, subscribers: 100, topics: 100, qos: 1, rate: 10 };
const STEADY: LoadShape = { publishers: 20, subscribers: 20, topics: 20, qos: 1, rate: 100 };
const FULL_RATE: LoadShape = { publishers: 1, subscribers: 1, topics: 1, qos: 0, window: 2000 };
const FULL_RATE_1: LoadShape = { publishers: 1, subscribers: 1, topics: 1, qos: 1, window: 1000 };
const LIVE: LoadShape = { publishers: 50, subscribers: 50, topics: 50, qos: 1 };

const FAN = 5000;
const FAN_RATE = 2;
const QUEUED = 1_000_000;
const QUICK = 50;
/** In the first ones the code is still being compiled: they do not count. */
const TURNS = { first: 3, counted: 8 };
const QUICK_TURNS = { first: 1, counted: 2 };
/** Seconds from the beginning of a load until it counts. */
const SETTLING = 0.3;
const MOST_RATIO = 3;
const MOST_STALL = 20;
const LEAST_SHARE = 0.7;

export async function fairness(
  options: Options,
  report: (row: FairnessRow) => void,
): Promise<readonly FairnessRow[]> {
  const rows: FairnessRow[] = [];
  const add = (row: FairnessRow): void => {
    rows.push(row);
    report(row);
  };
  for (const name of options.brokers ?? ["canopy"]) {
    add(await repeated(options, () => onePublisher(options, name, FULL_RATE)));
    add(await repeated(options, () => onePublisher(options, name, FULL_RATE_1)));
    add(await repeated(options, () => wideFanOut(options, name)));
    add(await repeated(options, () => catchUp(options, name)));
  }
  return rows;
}

/** The run with the median measure, and what was wrong in any. */
async function repeated(
  { repeat }: Options,
  once: () => Promise<FairnessRow>,
): Promise<FairnessRow> {
  const runs: FairnessRow[] = [];
  while (runs.length < repeat) runs.push(await once());
  const middle = medianOf(runs, ({ measure }) => measure);
  if (middle === undefined) throw new RangeError(`--repeat ${repeat}`);
  const faults = new Set(runs.map((run) => run.faults).filter((text) => text !== ""));
  return { ...middle, faults: [...faults].join("; ") };
}

/** Of each turn that counts. */
interface Beside {
  readonly quiet: readonly Latency[];
  readonly busy: readonly Latency[];
  /** Deliveries per second of the other load. */
  readonly disturbing: number;
  readonly faults: string;
}

/**
 * A load alone and beside another one, in turns, so that whatever the broker and the machine do
 * meanwhile meets both.
 */
async function beside(
  one: Bench,
  other: Bench,
  measured: LoadShape,
  disturbing: LoadShape,
): Promise<Beside> {
  await prepareLoad(one, measured);
  await prepareLoad(other, disturbing);
  await warmUp(one, other);
  const quiet: Latency[] = [];
  const busy: Latency[] = [];
  const rates: number[] = [];
  const { first, counted } = turnsOf(one);
  for (let i = 0; i < first + counted; i++) {
    quiet.push(await turn(one));
    await runLoad(other);
    await sleep(SETTLING);
    const others = measureWindow(other, SETTLING + turnLength(one));
    busy.push(await turn(one));
    rates.push((await others).delivered);
    await pauseLoad(other);
  }
  const faults = [await endLoad(one), await endLoad(other)].map((end) => faultText(end.faults));
  return {
    quiet: quiet.slice(first),
    busy: busy.slice(first),
    disturbing: median(rates),
    faults: faults.filter((text) => text).join("; "),
  };
}

/** Both at once, so that all code is compiled before the first turn; nothing of it is measured. */
async function warmUp(one: Bench, other: Bench): Promise<void> {
  await Promise.all([runLoad(one), runLoad(other)]);
  await sleep(one.warmup);
  await Promise.all([pauseLoad(one), pauseLoad(other)]);
}

async function turn(bench: Bench): Promise<Latency> {
  await runLoad(bench);
  await sleep(SETTLING);
  await measureWindow(bench, turnLength(bench));
  return latencyOf(await pauseLoad(bench));
}

/** In most turns it was as good as this: one in which the machine was elsewhere does not count. */
function typical(turns: readonly Latency[], figure: "p50" | "p99" | "max"): number {
  return median(turns.map((latency) => latency[figure]));
}

function worst(turns: readonly Latency[], figure: "p99" | "max"): string {
  return `worst turn ${number(Math.max(...turns.map((latency) => latency[figure])))}`;
}

function turnsOf({ quick }: Bench): typeof TURNS {
  return quick ? QUICK_TURNS : TURNS;
}

/** In seconds: all turns together are twice as long as a measurement elsewhere. */
function turnLength(bench: Bench): number {
  return (2 * bench.seconds) / turnsOf(bench).counted;
}

async function onePublisher(
  options: Options,
  name: BrokerName,
  shape: LoadShape,
): Promise<FairnessRow> {
  return withTwo(options, name, { durable: false }, async (one, other) => {
    const { quiet, busy, disturbing, faults } = await beside(one, other, SLOW, shape);
    const [alone, measured] = [typical(quiet, "p99"), typical(busy, "p99")];
    const measure = measured / alone;
    return {
      broker: name,
      title: `p99 of 100 slow publishers, one at full rate (QoS ${shape.qos})`,
      unit: "ms",
      quiet: alone,
      busy: measured,
      measure,
      target: `ratio ≤ ${MOST_RATIO}`,
      isMet: measure <= MOST_RATIO,
      note: `${number(disturbing)} msg/s; ${worst(busy, "p99")}`,
      faults,
    };
  });
}

async function wideFanOut(options: Options, name: BrokerName): Promise<FairnessRow> {
  return withTwo(options, name, { durable: false }, async (one, other) => {
    const subscribers = one.quick ? FAN / QUICK : FAN;
    const fan: LoadShape = { publishers: 1, subscribers, topics: 1, qos: 1, rate: FAN_RATE };
    const { quiet, busy, disturbing, faults } = await beside(one, other, STEADY, fan);
    const stall = typical(busy, "max");
    return {
      broker: name,
      title: `longest wait of others, a fan-out to ${number(subscribers)}`,
      unit: "ms",
      quiet: typical(quiet, "max"),
      busy: stall,
      measure: stall,
      target: `< ${MOST_STALL} ms`,
      isMet: stall < MOST_STALL,
      note: `${number(disturbing)} msg/s; ${worst(busy, "max")}`,
      faults,
    };
  });
}

/** One session comes back to many messages, while others are served. */
async function catchUp(options: Options, name: BrokerName): Promise<FairnessRow> {
  return withTwo(options, name, { durable: true }, async (live, late) => {
    const most = late.quick ? QUEUED / QUICK : QUEUED;
    const queued = Math.min(most, options.max ?? most);
    const { generators } = late;
    const shape: LoadShape = { ...FULL_RATE_1, durable: true, limit: queued };
    await generators.each("prepare", (index) => specOf(late, shape, "late", index));
    await generators.each("closeSubscribers", () => null);
    await generators.each("start", () => null);
    await generators.each("answered", () => null);

    await startLoad(live, LIVE);
    await sleep(live.warmup);
    const quiet = await measureWindow(live, live.seconds);
    const start = performance.now();
    const drained = reopen(late);
    const busy = await measureWindow(live, drained);
    const seconds = (performance.now() - start) / 1000;
    const { faults } = await endLoad(live);
    const measure = busy.delivered / quiet.delivered;
    return {
      broker: name,
      title: `live throughput, ${number(queued)} queued messages caught up`,
      unit: "msg/s",
      quiet: quiet.delivered,
      busy: busy.delivered,
      measure,
      target: `ratio ≥ ${LEAST_SHARE}`,
      isMet: measure >= LEAST_SHARE,
      note: `${number(queued / seconds)} msg/s caught up`,
      faults: [faultText(faults), await drained].filter((text) => text).join("; "),
    };
  });
}

async function reopen(late: Bench): Promise<string> {
  await late.generators.each("reopenSubscribers", () => null);
  const { faults } = await endLoad(late);
  return faultText(faults);
}

export function fairnessTable(rows: readonly FairnessRow[]): string {
  return table(
    [
      left("what"),
      left("broker"),
      left("unit"),
      right("quiet"),
      right("busy"),
      right("ratio"),
      right("target"),
      left("met"),
      left("meanwhile"),
      left("wrong"),
    ],
    rows.map((row) => [
      row.title,
      row.broker,
      row.unit,
      number(row.quiet),
      number(row.busy),
      number(row.busy / row.quiet),
      row.target,
      row.isMet ? "yes" : "no",
      row.note,
      row.faults,
    ]),
  );
}
