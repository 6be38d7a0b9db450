import type { BrokerOptions } from "../brokers/broker.ts";
import { brokerCpu, cpuRest } from "../proc.ts";
import type { Figure, Point } from "./series.ts";
import type { Setting } from "./setting.ts";

/** Something that there may be much of. */
export interface Dimension {
  readonly name: string;
  readonly title: string;
  readonly of: string;
  readonly first: number;
  readonly most: number;
  readonly figures: readonly Figure[];
  readonly settings: Pick<BrokerOptions, "durable" | "set">;
  /** Each size has a broker of its own; otherwise one is filled from size to size. */
  readonly isFresh?: boolean;
  measure(setting: Setting, before: number, size: number): Promise<Point["figures"]>;
}

const MILLION = 1e6;
const message: Figure = { name: "message", unit: "µs" };
const memory = (of: string): Figure => ({ name: `memory per ${of}`, unit: "B" });
const plain = { durable: false };
const durable = { durable: true };

/** Filters that one client of the filling has. */
const FILTERS = 500;
const TOPICS_PER_FILTER = 100;
const QUEUES = 50;

const idleConnections: Dimension = {
  name: "idle",
  title: "idle connections",
  of: "connections",
  first: 100,
  most: 10_000,
  figures: [message, { name: "CONNECT", unit: "µs" }, memory("connection")],
  settings: plain,
  measure: async (setting, before, size) => {
    const cost = await setting.cost(() => setting.connect(before, size));
    return {
      CONNECT: (cost.cpu * MILLION) / (size - before),
      "memory per connection": cost.memory / (size - before),
      message: await setting.messageCost(),
    };
  },
};

/** The same number of messages in flight, over more and more connections. */
const activeConnections: Dimension = {
  name: "connections",
  title: "active connections, 10,000 msg/s in all",
  of: "connections",
  first: 100,
  most: 10_000,
  figures: [message],
  settings: plain,
  isFresh: true,
  measure: async (setting, _before, size) => {
    const pairs = Math.floor(size / 2);
    const counts = { publishers: pairs, subscribers: pairs, topics: pairs };
    return { message: await setting.loadCost({ ...counts, qos: 1, rate: 10_000 / pairs }) };
  },
};

function subscriptions(name: string, title: string, filter: string): Dimension {
  return {
    name,
    title,
    of: "subscriptions",
    first: 1000,
    most: 1_000_000,
    figures: [message, { name: "SUBSCRIBE", unit: "µs" }, memory("subscription")],
    settings: plain,
    measure: async (setting, before, size) => {
      const what = { filter, filtersPerClient: FILTERS, qos: 1, durable: false, leave: false };
      const cost = await setting.cost(() =>
        setting.fill(before / FILTERS, size / FILTERS, { ...what, qos: 1 }),
      );
      return {
        SUBSCRIBE: (cost.cpu * MILLION) / (size - before),
        "memory per subscription": cost.memory / (size - before),
        message: await setting.messageCost(),
      };
    },
  };
}

const retained: Dimension = {
  name: "retained",
  title: "retained messages",
  of: "retained messages",
  first: 1000,
  most: 1_000_000,
  figures: [
    message,
    { name: "PUBLISH with retain", unit: "µs" },
    { name: "wildcard SUBSCRIBE, per message", unit: "µs" },
    memory("retained message"),
  ],
  settings: plain,
  measure: async (setting, before, size) => {
    const topic = `retained/{i/${TOPICS_PER_FILTER}}/{i%${TOPICS_PER_FILTER}}`;
    const cost = await setting.cost(async () => {
      await setting.publish(before, size, { topic, retain: true, qos: 1 });
      // what it leaves to be done in the background is its cost, not that of the subscriptions
      await cpuRest(setting.bench.broker);
    });
    return {
      "PUBLISH with retain": (cost.cpu * MILLION) / (size - before),
      "memory per retained message": cost.memory / (size - before),
      "wildcard SUBSCRIBE, per message": await collectCost(setting, size),
      message: await setting.messageCost(),
    };
  },
};

/** Subscribes to `retained/N/+` for some N: what does not match must not cost. */
async function collectCost(setting: Setting, size: number): Promise<number> {
  const { generators, broker } = setting.bench;
  const { host, port, version } = broker;
  const groups = Math.floor(size / TOPICS_PER_FILTER);
  const count = Math.min(groups, 100);
  const before = brokerCpu(broker);
  for (let i = 0; i < count; i++) {
    await generators.first.ask("collect", {
      host,
      port,
      version,
      prefix: "collect",
      from: i,
      count: 1,
      concurrency: 1,
      filter: `retained/${Math.floor((i * groups) / count)}/+`,
      qos: 1,
      messages: TOPICS_PER_FILTER,
    });
  }
  return ((brokerCpu(broker) - before) * MILLION) / (count * TOPICS_PER_FILTER);
}

const queued: Dimension = {
  name: "queued",
  title: "queued messages",
  of: "queued messages",
  first: 10_000,
  most: 10_000_000,
  figures: [
    { name: "PUBLISH", unit: "µs" },
    { name: "delivery", unit: "µs" },
    { name: "memory grew by", unit: "MB" },
  ],
  // The default bounds of a queue are lower than what is to be shown.
  settings: {
    durable: true,
    set: { "limits.maxQueuedMessages": "100000000", "limits.maxQueuedBytes": "100GiB" },
  },
  isFresh: true,
  measure: async (setting, _before, size) => {
    const { bench } = setting;
    const each = size / QUEUES;
    await bench.generators.each("prepare", (index) => setting.queueSpec(QUEUES, each, index));
    await bench.generators.each("closeSubscribers", () => null);
    const publish = await setting.cost(async () => {
      await bench.generators.each("start", () => null);
      await bench.generators.each("answered", () => null);
    });
    const drain = await setting.cost(() => setting.drainQueues());
    return {
      PUBLISH: (publish.cpu * MILLION) / size,
      delivery: (drain.cpu * MILLION) / size,
      "memory grew by": publish.memory / MILLION,
    };
  },
};

const sessions: Dimension = {
  name: "sessions",
  title: "offline sessions, each with a subscription of its own",
  of: "sessions",
  first: 1000,
  most: 1_000_000,
  figures: [
    message,
    { name: "CONNECT, SUBSCRIBE, DISCONNECT", unit: "µs" },
    { name: "PUBLISH to one of them", unit: "µs" },
    memory("session"),
  ],
  settings: durable,
  measure: async (setting, before, size) => {
    const what = { filter: "offline/{i}", filtersPerClient: 1, durable: true, leave: true };
    const cost = await setting.cost(() => setting.fill(before, size, { ...what, qos: 1 }));
    const some = Math.min(size, 10_000);
    const publish = await setting.cost(() =>
      setting.publish(size - some, size, { topic: "offline/{i}", retain: false, qos: 1 }),
    );
    return {
      "CONNECT, SUBSCRIBE, DISCONNECT": (cost.cpu * MILLION) / (size - before),
      "memory per session": cost.memory / (size - before),
      "PUBLISH to one of them": (publish.cpu * MILLION) / some,
      message: await setting.messageCost(),
    };
  },
};

export const dimensions: readonly Dimension[] = [
  idleConnections,
  activeConnections,
  subscriptions("exact", "exact subscriptions", "bench/exact/{i/1000}/{i}"),
  // Its first levels match the topics of the load, so that every message meets the wildcard.
  subscriptions("wildcard", "wildcard subscriptions", "+/+/{i/1000}/{i}/#"),
  retained,
  queued,
  sessions,
];
