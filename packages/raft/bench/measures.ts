/** What is measured of three node processes; each measure has nodes and a folder of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { MembersAnswer } from "../src/index.ts";
import type { LoadResult } from "./load.ts";
import { type NodeProcess, type NodeStatus, Nodes, type NodesOptions } from "./nodes.ts";

const BYTES = 256;
const WARM_UP = 1_500;
const OPTIONS: NodesOptions = {
  machine: "count",
  tick: 100,
  snapshotEvery: 64 << 20,
  keepTail: 8 << 20,
};

export interface Throughput {
  readonly perSecond: number;
  /** ms, of the slowest node. */
  readonly p50: number;
  readonly p99: number;
  readonly refused: number;
}

export async function withFolder<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "canopy-raft-bench-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function withNodes<T>(
  work: (nodes: Nodes) => Promise<T>,
  options: Partial<NodesOptions> = {},
  size = 3,
): Promise<T> {
  return withFolder(async (directory) => {
    const nodes = new Nodes(directory, { ...OPTIONS, ...options }, size);
    try {
      await nodes.start();
      return await work(nodes);
    } finally {
      await nodes.kill();
      for (const { name, stderr } of nodes.all) {
        if (stderr.length > 0) process.stderr.write(`${name}: ${stderr.join("")}`);
      }
    }
  });
}

/** Group g is led by node g mod 3. */
async function spread(nodes: Nodes, groups: number): Promise<void> {
  for (let group = 0; group < groups; group++) {
    const at = group % nodes.all.length;
    for (;;) {
      const leader = await nodes.leader(group);
      if (leader === nodes.all[at]) break;
      if (leader === undefined) await pause(20);
      else await leader.call<MembersAnswer>("transfer", { group, to: at + 1 });
    }
  }
}

/** Proposals are made in the process that leads, as a service does that has Raft under it. */
export function throughput(
  groups: number,
  inflight: number,
  ms: number,
  nodesOptions: Partial<NodesOptions> = {},
): Promise<Throughput> {
  return withNodes(async (nodes) => {
    await nodes.open(groups);
    await spread(nodes, groups);
    const options = { inflight, ms, bytes: BYTES, warmUp: WARM_UP };
    const results = await Promise.all(
      nodes.all.map((node, i) => {
        const own = Array.from({ length: groups }, (_, group) => group);
        const led = own.filter((group) => group % nodes.all.length === i);
        return node.call<LoadResult>("load", { groups: led, options });
      }),
    );
    const sum = (of: (result: LoadResult) => number) =>
      results.reduce((total, result) => total + of(result), 0);
    return {
      perSecond: sum((result) => result.commits / result.seconds),
      p50: Math.max(...results.map((result) => result.p50)),
      p99: Math.max(...results.map((result) => result.p99)),
      refused: sum((result) => result.others),
    };
  }, nodesOptions);
}

/** The share of a core that each process takes while all its groups sleep. */
export function idle(groups: number, ms: number): Promise<readonly number[]> {
  return withNodes(async (nodes) => {
    await nodes.open(groups);
    const asleep = async (node: NodeProcess) => {
      const all = await node.call<readonly NodeStatus[]>("statuses");
      return all.every((status) => status.asleep);
    };
    for (const node of nodes.all) while (!(await asleep(node))) await pause(200);
    const before = await Promise.all(nodes.all.map(cpu));
    await pause(ms);
    const after = await Promise.all(nodes.all.map(cpu));
    return after.map((used, i) => (used - (before[i] ?? 0)) / ms);
  });
}

/** ms */
async function cpu(node: NodeProcess): Promise<number> {
  const { user, system } = await node.call<NodeJS.CpuUsage>("cpu");
  return (user + system) / 1000;
}

export interface Recovery {
  /** ms from the start of the process until everything in the log is applied. */
  readonly took: number;
  /** How many commands of 64 bytes that were: a few more than asked for. */
  readonly commands: number;
}

export function recovery(commands: number): Promise<Recovery> {
  const never = { snapshotEvery: Number.MAX_SAFE_INTEGER };
  return withNodes(
    async (nodes) => {
      const [node] = nodes.all as [NodeProcess];
      await nodes.open(1);
      await spread(nodes, 1);
      const options = { inflight: 4_096, ms: 1_000, bytes: 64, warmUp: 0 };
      const count = () => node.call<number>("count", 0);
      while ((await count()) < commands) await node.call("load", { groups: [0], options });
      await node.kill();
      await node.start();
      await nodes.open(1);
      const took = await node.call<number>("whole", 0);
      const recovered = await count();
      if (recovered < commands) throw new Error(`${recovered} of ${commands} came back`);
      return { took, commands: recovered };
    },
    never,
    1,
  );
}
