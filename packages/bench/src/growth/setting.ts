import type { ConnectSpec, FillSpec, LoadSpec, PublishSpec } from "../generator/commands.ts";
import {
  type Bench,
  endLoad,
  faultText,
  type LoadShape,
  measureLoad,
  sleep,
  specOf,
} from "../measure.ts";
import { brokerCpu, brokerMemory } from "../proc.ts";

/** Seconds until memory is looked at. */
const REST = 2;
/** Clients that are made at the same time, in each process: many of them share one fsync. */
const AT_ONCE = 256;
/** Milliseconds for a queue of any size. */
const LONGEST_DRAIN = 1_200_000;

/** CPU that the broker used for something, and what its memory grew by. */
export interface Cost {
  readonly cpu: number;
  readonly memory: number;
}

/** The same measurement again and again, while the broker is filled. */
export class Setting {
  readonly bench: Bench;
  readonly faults: string[] = [];

  constructor(bench: Bench) {
    this.bench = bench;
  }

  /** Microseconds of CPU per message of a saturating 1:1 load. */
  async messageCost(durable = false): Promise<number> {
    return this.loadCost({ publishers: 50, subscribers: 50, topics: 50, qos: 1, durable });
  }

  async loadCost(shape: LoadShape): Promise<number> {
    const measured = await measureLoad(this.bench, shape);
    const text = faultText(measured.faults);
    if (text !== "") this.faults.push(text);
    return measured.cpuPerMillion;
  }

  async cost(work: () => Promise<unknown>): Promise<Cost> {
    const { broker } = this.bench;
    const [cpu, memory] = [brokerCpu(broker), brokerMemory(broker)];
    await work();
    const used = brokerCpu(broker) - cpu;
    // What a broker does later, such as collecting garbage, is not counted as CPU.
    await sleep(Math.min(REST, this.bench.seconds));
    return { cpu: used, memory: brokerMemory(broker) - memory };
  }

  /** A part of the numbers from `from` to `to` for each generator process. */
  async share<T>(
    from: number,
    to: number,
    ask: (part: ConnectSpec, index: number) => Promise<T>,
  ): Promise<T[]> {
    const { generators, broker } = this.bench;
    const { host, port, version } = broker;
    const count = generators.all.length;
    const at = (index: number): number => from + Math.floor(((to - from) * index) / count);
    return Promise.all(
      generators.all.map((_, index) =>
        ask(
          {
            host,
            port,
            version,
            prefix: "fill",
            from: at(index),
            count: at(index + 1) - at(index),
            concurrency: AT_ONCE,
          },
          index,
        ),
      ),
    );
  }

  async connect(from: number, to: number): Promise<void> {
    const { all } = this.bench.generators;
    await this.share(from, to, async (part, index) => all[index]?.ask("connect", part));
  }

  async fill(
    from: number,
    to: number,
    what: Pick<FillSpec, "filter" | "filtersPerClient" | "qos" | "durable" | "leave">,
  ): Promise<void> {
    const { all } = this.bench.generators;
    await this.share(from, to, async (part, index) =>
      all[index]?.ask("fill", { ...part, ...what }),
    );
  }

  queueSpec(queues: number, each: number, index: number): LoadSpec {
    const counts = { publishers: queues, subscribers: queues, topics: queues };
    const shape: LoadShape = { ...counts, qos: 1, durable: true, window: WINDOW, limit: each };
    return specOf(this.bench, shape, "queue", index);
  }

  /** The subscribers come back, and everything must come. */
  async drainQueues(): Promise<void> {
    await this.bench.generators.each("reopenSubscribers", () => null);
    const { faults } = await endLoad(this.bench, LONGEST_DRAIN);
    const text = faultText(faults);
    if (text !== "") this.faults.push(text);
  }

  async publish(
    from: number,
    to: number,
    what: Pick<PublishSpec, "topic" | "retain" | "qos">,
  ): Promise<void> {
    const { all } = this.bench.generators;
    await this.share(from, to, async (part, index) =>
      all[index]?.ask("publish", {
        ...part,
        ...what,
        prefix: `fill-${index}`,
        clients: CLIENTS,
        size: SIZE,
        window: WINDOW,
      }),
    );
  }
}

const CLIENTS = 10;
const SIZE = 64;
const WINDOW = 100;
