/** One node as a process: storage, host and TCP, told over the channel to its parent what to do. */
import { systemClock, systemRandom, systemTimers } from "@canopy/base";
import {
  type Answer,
  createHost,
  type GroupStatus,
  type MemberChange,
  type MembersAnswer,
  type NodeName,
  type Origin,
  openStorage,
  type RaftGroup,
  type RaftHost,
  type RaftStorage,
  type ReadAnswer,
  type Transport,
} from "../src/index.ts";
import { serveCalls } from "./calls.ts";
import { type LoadOptions, type LoadResult, load } from "./load.ts";
import { stderrLogger } from "./logger.ts";
import { CountMachine, LinesMachine } from "./machines.ts";
import { TcpTransport } from "./tcp-transport.ts";

export interface StartParams {
  readonly node: NodeName;
  readonly directory: string;
  readonly machine: "count" | "lines";
  /** ms */
  readonly tick: number;
  readonly snapshotEvery: number;
  readonly keepTail: number;
  /** A module with a {@link MakeTransport} named `makeTransport`; undefined: TCP. */
  readonly transport?: string;
}

/** `peers`: the ports of the other nodes on the loopback interface. */
export type MakeTransport = (
  node: NodeName,
  peers: ReadonlyMap<NodeName, number>,
) => Transport & { readonly port: number };

export interface OpenParams {
  readonly group: number;
  readonly replica: number;
  readonly voters: readonly (readonly [number, NodeName])[];
}

const peers = new Map<NodeName, number>();
const groups = new Map<number, RaftGroup>();
const machines = new Map<number, CountMachine | LinesMachine>();
let params: StartParams;
let storage: RaftStorage;
let host: RaftHost;

const group = (id: number): RaftGroup => {
  const found = groups.get(id);
  if (found === undefined) throw new Error(`no group ${id}`);
  return found;
};

async function start(given: StartParams): Promise<{ port: number; recovered: number }> {
  params = given;
  const began = performance.now();
  const { node, directory, tick, snapshotEvery, keepTail } = given;
  storage = openStorage({ directory, logger: stderrLogger });
  await storage.start();
  const transport = await transportOf(given);
  host = createHost({
    node,
    storage,
    transport,
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    logger: stderrLogger,
    defer: setImmediate,
    tick,
    electionTicks: 10,
    heartbeatTicks: 2,
    maxProposals: 10_000,
    maxProposalBytes: 64 << 20,
    snapshotEvery,
    keepTail,
  });
  await host.start();
  return { port: transport.port, recovered: performance.now() - began };
}

async function transportOf({ node, transport }: StartParams): Promise<ReturnType<MakeTransport>> {
  if (transport === undefined) return new TcpTransport(node, peers);
  const { makeTransport } = (await import(transport)) as { makeTransport: MakeTransport };
  return makeTransport(node, peers);
}

async function open(given: readonly OpenParams[]): Promise<void> {
  for (const { group: id, replica, voters } of given) {
    const machine = params.machine === "lines" ? new LinesMachine() : new CountMachine();
    const bootstrap = { replica, voters: new Map(voters) };
    machines.set(id, machine);
    groups.set(id, await host.open({ group: id, machine, bootstrap }));
  }
}

const plain = (status: GroupStatus): object => ({
  ...status,
  configuration: { ...status.configuration, nodes: [...status.configuration.nodes] },
});

serveCalls({
  start,
  open,
  peers: (ports: readonly (readonly [NodeName, number])[]) => {
    for (const [node, port] of ports) peers.set(node, port);
  },
  status: (id: number) => plain(group(id).status),
  statuses: () => [...groups.values()].map(({ status }) => ({ ...plain(status) })),
  propose: (given: { group: number; text: string; origin?: Origin }): Promise<Answer> =>
    group(given.group).propose(Buffer.from(given.text), given.origin),
  read: (id: number): Promise<ReadAnswer> => group(id).read(),
  change: (given: { group: number; changes: readonly MemberChange[] }): Promise<MembersAnswer> =>
    group(given.group).changeMembers(given.changes),
  transfer: (given: { group: number; to: number }): Promise<MembersAnswer> =>
    group(given.group).transferLeadership(given.to),
  lines: (id: number): readonly string[] => {
    const machine = machines.get(id);
    return machine instanceof LinesMachine ? machine.lines : [];
  },
  count: (id: number): number => {
    const machine = machines.get(id);
    return machine instanceof CountMachine ? machine.count : 0;
  },
  /** ms from the start of the process until everything that is committed is applied. */
  whole: async (id: number): Promise<number> => {
    const whole = ({ role, applied, lastIndex }: GroupStatus) =>
      role === "leader" && applied === lastIndex;
    while (!whole(group(id).status)) await new Promise((resolve) => setImmediate(resolve));
    return performance.now();
  },
  load: (given: { groups: readonly number[]; options: LoadOptions }): Promise<LoadResult> =>
    load(given.groups.map(group), given.options),
  cpu: () => process.cpuUsage(),
  memory: () => process.memoryUsage(),
  stop: async () => {
    await host.stop();
    await storage.stop();
    process.disconnect();
  },
});
process.once("disconnect", () => process.exit());
