/** `npm run cluster`: a cluster on this machine, until Ctrl-C. */
import { writeFileSync } from "node:fs";
import { ArgumentError, type Arguments, help, readArguments } from "./arguments.ts";
import { type Balancer, startBalancer } from "./balancer.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { forPeople, forPrograms } from "./report.ts";

const EXIT_USAGE = 2;

async function main(): Promise<void> {
  const asked = readArguments(process.argv.slice(2));
  if (asked.help) {
    process.stdout.write(help);
    return;
  }
  const aborting = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        aborting.abort();
        resolve();
      });
    }
  });
  try {
    await run(asked, aborting.signal, stopped);
  } catch (error) {
    if (!aborting.signal.aborted) throw error;
  }
}

async function run(asked: Arguments, signal: AbortSignal, stopped: Promise<void>): Promise<void> {
  const { json, folder, gateways, sessions, stores, backend, restart } = asked;
  const options = { gateways, sessions, stores, backend, restart, signal };
  const parts: { cluster?: Cluster; balancer?: Balancer } = {};
  const write = (): void => {
    const { cluster, balancer } = parts;
    if (json !== undefined && cluster !== undefined) {
      writeFileSync(json, forPrograms(cluster, balancer));
    }
  };
  process.stdout.write("Starting the cluster …\n");
  const place = folder === undefined ? {} : { folder };
  const cluster = await startCluster({ ...options, ...place, onLine: tell, onRestarted: write });
  parts.cluster = cluster;
  try {
    const balancer = await startBalancer(cluster.gateways, cluster.folder);
    if (balancer !== undefined) parts.balancer = balancer;
    write();
    process.stdout.write(`${forPeople(cluster, balancer)}\n`);
    await stopped;
    process.stdout.write("Stopping the cluster …\n");
  } finally {
    await parts.balancer?.stop();
    await cluster.stop();
  }
}

/** What of a process's log a person has to know. */
function tell(name: string, line: string): void {
  let said: Record<string, unknown> = { level: "error", msg: line };
  try {
    said = JSON.parse(line) as Record<string, unknown>;
  } catch {
    // not of its log: of Node, perhaps, why it has ended
  }
  const { level, msg } = said;
  const isWaiting = typeof msg === "string" && msg.startsWith("waiting for");
  if (level === "warn" || level === "error" || isWaiting) {
    process.stderr.write(`${name}: ${String(msg)}\n`);
  }
}

try {
  await main();
} catch (error) {
  const isUsage = error instanceof ArgumentError || (error instanceof Error && "code" in error);
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`canopy: ${text}\n`);
  process.exitCode = isUsage ? EXIT_USAGE : 1;
}
