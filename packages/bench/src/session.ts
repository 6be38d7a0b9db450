import { join } from "node:path";
import type { BrokerName, BrokerOptions } from "./brokers/broker.ts";
import { startBroker } from "./brokers/index.ts";
import { Generators } from "./generators.ts";
import type { Bench } from "./measure.ts";
import type { Options } from "./options.ts";
import { withTempFolder } from "./temp-folder.ts";

/** Runs the work with a fresh broker and fresh generators, and ends them. */
export async function withBench<T>(
  options: Options,
  name: BrokerName,
  settings: Pick<BrokerOptions, "durable" | "set">,
  work: (bench: Bench) => Promise<T>,
): Promise<T> {
  return withTempFolder(async (folder) => {
    const main = mainIn(options.tree);
    const { cores } = options;
    const broker = await startBroker[name]({
      ...settings,
      folder,
      cores: cores.broker,
      ...(main !== undefined && { main }),
    });
    const generators = new Generators(options.generators, cores.generator);
    const { warmup, seconds, quick } = options;
    try {
      return await work({ broker, generators, warmup, seconds, quick, drainIdle: 5 });
    } finally {
      await generators.stop();
      await broker.stop();
    }
  });
}

function mainIn(tree: string | undefined): string | undefined {
  return tree === undefined ? undefined : join(tree, "services", "standalone", "src", "main.ts");
}
