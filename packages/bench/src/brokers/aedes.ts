import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { end, start } from "../child.ts";
import type { Broker, BrokerOptions } from "./broker.ts";
import { firstMatch } from "./first-match.ts";

const main = fileURLToPath(new URL("aedes-main.ts", import.meta.url));

/** aedes in a process of its own; durable sessions are kept in LevelDB, others in memory. */
export async function startAedes(options: BrokerOptions): Promise<Broker> {
  const data = options.durable ? [join(options.folder, "aedes")] : [];
  const child = start(process.execPath, ["--conditions=source", main, ...data], {
    cores: options.cores,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [, port] = await firstMatch(child, /listening on (\d+)/);
  return {
    name: "aedes",
    processes: [{ role: "broker", pid: child.pid ?? 0 }],
    host: "127.0.0.1",
    port: Number(port),
    version: 4,
    stop: () => end(child),
    restart: async () => {
      await end(child);
      return startAedes(options);
    },
  };
}
