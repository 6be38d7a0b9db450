import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { startCluster } from "@canopy/cluster-launcher";
import type { Broker, BrokerOptions } from "./broker.ts";

/**
 * A cluster with one gateway, so that this is compared with a standalone broker; three session nodes,
 * two store processes. The gateway has the broker's cores, the others have theirs together.
 */
export async function startOneGateway(options: BrokerOptions): Promise<Broker> {
  const folder = join(options.folder, "cluster");
  const cluster = await startCluster({ gateways: 1, folder });
  const { processes, gateways } = cluster;
  for (const { role, pid } of processes) {
    pin(pid, role === "gateway" ? options.cores : options.otherCores);
  }
  const mqtt = gateways[0]?.mqtt;
  if (mqtt === undefined) throw new Error("the gateway listens nowhere");
  return {
    name: "cluster",
    processes: processes.map(({ role, pid }) => ({ role, pid })),
    ...mqtt,
    version: 5,
    stop: () => cluster.stop(),
    restart: async () => {
      await cluster.stop();
      return startOneGateway(options);
    },
  };
}

/** All threads that there are; the launcher starts processes without taskset. */
function pin(pid: number, cores: string | undefined): void {
  if (cores === undefined) return;
  const { status, stderr } = spawnSync("taskset", ["-a", "-p", "-c", cores, String(pid)]);
  if (status !== 0) throw new Error(`taskset: ${String(stderr)}`);
}
