import type { BrokerName } from "../brokers/broker.ts";
import {
  type Bench,
  endLoad,
  faultText,
  type LoadShape,
  measureWindow,
  sleep,
  specOf,
  startLoad,
} from "../measure.ts";
import type { Options } from "../options.ts";
import { withTwo } from "../session.ts";
import { medianOf } from "../statistics.ts";
import { number } from "../table.ts";
import { beside } from "./turns.ts";
import { share, slowdown, stall, type Verdict } from "./verdict.ts";

export interface FairnessRow extends Omit<Verdict, "turns"> {
  readonly broker: BrokerName;
  readonly title: string;
  readonly unit: string;
  /** What the busy client did meanwhile, and how other turns were. */
  readonly note: string;
  readonly faults: string;
}

export interface FairnessScenario {
  readonly name: string;
  run(options: Options, broker: BrokerName): Promise<FairnessRow>;
  /** Which of the repeated runs is shown; undefined if there was none. */
  shown(runs: readonly FairnessRow[]): FairnessRow | undefined;
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

const typical = (runs: readonly FairnessRow[]): FairnessRow | undefined =>
  medianOf(runs, ({ measure }) => measure);

const worst = (runs: readonly FairnessRow[]): FairnessRow | undefined =>
  runs.toSorted((a, b) => a.measure - b.measure).at(-1);

export const fairnessScenarios: readonly FairnessScenario[] = [
  {
    name: "publisher0",
    run: (options, broker) => onePublisher(options, broker, FULL_RATE),
    shown: typical,
  },
  {
    name: "publisher1",
    run: (options, broker) => onePublisher(options, broker, FULL_RATE_1),
    shown: typical,
  },
  { name: "fanout", run: wideFanOut, shown: worst },
  { name: "catchup", run: catchUp, shown: typical },
];

async function onePublisher(
  options: Options,
  broker: BrokerName,
  shape: LoadShape,
): Promise<FairnessRow> {
  return withTwo(options, broker, { durable: false }, async (one, other) => {
    const found = await beside(one, other, SLOW, shape);
    const { turns, ...verdict } = slowdown(found);
    return {
      ...verdict,
      broker,
      title: `p99 of 100 slow publishers in the median turn, one at full rate (QoS ${shape.qos})`,
      unit: "ms",
      note: `${number(found.disturbing)} msg/s; ${turns}`,
      faults: found.faults,
    };
  });
}

async function wideFanOut(options: Options, broker: BrokerName): Promise<FairnessRow> {
  return withTwo(options, broker, { durable: false }, async (one, other) => {
    const most = one.quick ? FAN / QUICK : FAN;
    const subscribers = Math.min(most, options.max ?? most);
    const fan: LoadShape = { publishers: 1, subscribers, topics: 1, qos: 1, rate: FAN_RATE };
    const found = await beside(one, other, STEADY, fan);
    const { turns, ...verdict } = stall(found);
    return {
      ...verdict,
      broker,
      title: `longest wait of others in the worst turn, a fan-out to ${number(subscribers)}`,
      unit: "ms",
      note: `${number(found.disturbing)} msg/s; ${turns}`,
      faults: found.faults,
    };
  });
}

/** One session comes back to many messages, while others are served. */
async function catchUp(options: Options, broker: BrokerName): Promise<FairnessRow> {
  return withTwo(options, broker, { durable: true }, async (live, late) => {
    const most = late.quick ? QUEUED / QUICK : QUEUED;
    const queued = Math.min(most, options.max ?? most);
    await queueUp(late, queued);

    await startLoad(live, LIVE);
    await sleep(live.warmup);
    const quiet = await measureWindow(live, live.seconds);
    const start = performance.now();
    const drained = reopen(late);
    const busy = await measureWindow(live, drained);
    const seconds = (performance.now() - start) / 1000;
    const { faults } = await endLoad(live);
    return {
      ...share(quiet.delivered, busy.delivered),
      broker,
      title: `live throughput, ${number(queued)} queued messages caught up`,
      unit: "msg/s",
      note: `${number(queued / seconds)} msg/s caught up`,
      faults: [faultText(faults), await drained].filter((text) => text).join("; "),
    };
  });
}

/** So many messages for a durable session that is away. */
async function queueUp(late: Bench, queued: number): Promise<void> {
  const { generators } = late;
  const shape: LoadShape = { ...FULL_RATE_1, durable: true, limit: queued };
  await generators.each("prepare", (index) => specOf(late, shape, "late", index));
  await generators.each("closeSubscribers", () => null);
  await generators.each("start", () => null);
  await generators.each("answered", () => null);
}

async function reopen(late: Bench): Promise<string> {
  await late.generators.each("reopenSubscribers", () => null);
  const { faults } = await endLoad(late);
  return faultText(faults);
}
