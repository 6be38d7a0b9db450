/** `bench fairness`: what a busy client does to others. */
import type { BrokerName } from "./brokers/broker.ts";
import {
  type Bench,
  endLoad,
  faultText,
  type LoadShape,
  type Measured,
  measureLoad,
  measureWindow,
  sleep,
  specOf,
  startLoad,
} from "./measure.ts";
import type { Options } from "./options.ts";
import { withTwo } from "./session.ts";
import { medianOf } from "./statistics.ts";
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

/** The same load before and while another one runs. */
async function beside(
  one: Bench,
  other: Bench,
  measured: LoadShape,
  disturbing: LoadShape,
): Promise<{ quiet: Measured; busy: Measured; disturbing: Measured; faults: string }> {
  const quiet = await measureLoad(one, measured);
  await startLoad(other, disturbing);
  await sleep(other.warmup);
  const others = measureWindow(other, one.warmup + one.seconds);
  const busy = await measureLoad(one, measured);
  const disturbed = { ...(await others), ...(await endLoad(other)) };
  const faults = [quiet, busy, disturbed].map((each) => faultText(each.faults));
  return { quiet, busy, disturbing: disturbed, faults: faults.filter((text) => text).join("; ") };
}

async function onePublisher(
  options: Options,
  name: BrokerName,
  shape: LoadShape,
): Promise<FairnessRow> {
  return withTwo(options, name, { durable: false }, async (one, other) => {
    const { quiet, busy, disturbing, faults } = await beside(one, other, SLOW, shape);
    const measure = busy.latency.p99 / quiet.latency.p99;
    return {
      broker: name,
      title: `p99 of 100 slow publishers, one at full rate (QoS ${shape.qos})`,
      unit: "ms",
      quiet: quiet.latency.p99,
      busy: busy.latency.p99,
      measure,
      target: `ratio ≤ ${MOST_RATIO}`,
      isMet: measure <= MOST_RATIO,
      note: `${number(disturbing.delivered)} msg/s`,
      faults,
    };
  });
}

async function wideFanOut(options: Options, name: BrokerName): Promise<FairnessRow> {
  return withTwo(options, name, { durable: false }, async (one, other) => {
    const subscribers = one.quick ? FAN / QUICK : FAN;
    const fan: LoadShape = { publishers: 1, subscribers, topics: 1, qos: 1, rate: FAN_RATE };
    const { quiet, busy, disturbing, faults } = await beside(one, other, STEADY, fan);
    const stall = busy.latency.max;
    return {
      broker: name,
      title: `longest wait of others, a fan-out to ${number(subscribers)}`,
      unit: "ms",
      quiet: quiet.latency.max,
      busy: stall,
      measure: stall,
      target: `< ${MOST_STALL} ms`,
      isMet: stall < MOST_STALL,
      note: `${number(disturbing.delivered)} msg/s`,
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
