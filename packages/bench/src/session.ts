import type { Broker, BrokerName, BrokerOptions } from "./brokers/broker.ts";
import { mainIn } from "./brokers/canopy.ts";
import { startBroker } from "./brokers/index.ts";
import { Generators } from "./generators.ts";
import type { Bench } from "./measure.ts";
import type { Options } from "./options.ts";
import { withTempFolder } from "./temp-folder.ts";

/** Seconds without movement after which what is missing is lost. */
const DRAIN_IDLE = 5;

type Settings = Pick<BrokerOptions, "durable" | "set">;

/** Runs the work with a fresh broker and fresh generators, and ends them. */
export async function withBench<T>(
  options: Options,
  name: BrokerName,
  settings: Settings,
  work: (bench: Bench) => Promise<T>,
): Promise<T> {
  return withBroker(options, name, settings, async (broker) =>
    withGenerators(options, options.generators, async (generators) =>
      work({ ...lengths(options), broker, generators }),
    ),
  );
}

/** Runs the work with two sets of generators, each of one process, at the same broker. */
export async function withTwo<T>(
  options: Options,
  name: BrokerName,
  settings: Settings,
  work: (one: Bench, other: Bench) => Promise<T>,
): Promise<T> {
  const set = lengths(options);
  return withBroker(options, name, settings, async (broker) =>
    withGenerators(options, 1, async (one) =>
      withGenerators(options, 1, async (other) =>
        work({ ...set, broker, generators: one }, { ...set, broker, generators: other }),
      ),
    ),
  );
}

function lengths(options: Options): Omit<Bench, "broker" | "generators"> {
  const { warmup, seconds, quick } = options;
  return { warmup, seconds, quick, drainIdle: DRAIN_IDLE };
}

async function withBroker<T>(
  options: Options,
  name: BrokerName,
  settings: Settings,
  work: (broker: Broker) => Promise<T>,
): Promise<T> {
  return withTempFolder(async (folder) => {
    const broker = await startBroker[name]({
      ...settings,
      folder,
      cores: options.cores.broker,
      otherCores: options.cores.others,
      ...(options.tree !== undefined && { main: mainIn(options.tree) }),
    });
    try {
      return await work(broker);
    } finally {
      await broker.stop();
    }
  });
}

async function withGenerators<T>(
  options: Options,
  count: number,
  work: (generators: Generators) => Promise<T>,
): Promise<T> {
  const generators = new Generators(count, options.cores.generator);
  try {
    return await work(generators);
  } finally {
    await generators.stop();
  }
}
