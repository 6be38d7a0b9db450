import { type ClusterProcess, startCluster } from "@canopy/cluster-launcher";
import { leadersBy } from "./leaders.ts";
import { Proxies } from "./proxies.ts";
import type { Target } from "./target.ts";

/** Of a new cluster, by the defaults of its settings. */
const SHARDS = 16;
const GROUPS = 4;
const LEASE = 3000;
/** How many of the last lines are kept. */
const KEPT = 5000;

/** Two gateways, three session nodes and two store processes on this machine. */
export async function startLocalCluster(
  env: Readonly<Record<string, string>> = {},
): Promise<Target> {
  const lines: string[] = [];
  /** Nobody is cut off before all have started. */
  const sources: ClusterProcess[] = [];
  const proxies = new Proxies(() => sources);
  const cluster = await startCluster({
    env,
    ...(Proxies.areAvailable && { through: (name, address) => proxies.before(name, address) }),
    onLine: (name, line) => {
      lines.push(`${name}: ${line}`);
      if (lines.length > KEPT) lines.shift();
    },
  });
  const { processes } = cluster;
  sources.push(...processes);
  const stop = async (): Promise<void> => {
    for (const one of processes) one.kill("SIGCONT");
    await cluster.stop();
    proxies.stop();
  };
  const partitions = { isolate: (name: string) => proxies.isolate(name) };
  return {
    name: "cluster",
    processes,
    shards: SHARDS,
    groups: GROUPS,
    lease: LEASE,
    leaders: () => leadersBy(cluster.sessions.map(({ address }) => address)),
    output: () => lines,
    stop,
    ...(Proxies.areAvailable && partitions),
  };
}
