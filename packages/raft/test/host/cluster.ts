/** Hosts in one process over memory: time goes on only by until(), one tick per few turns of the loop. */
import { type Logger, seededRandom, silentLogger } from "@canopy/base";
import { FakeTime, type Scope, testScope } from "@canopy/testkit";
import { createHost } from "../../src/host/host.ts";
import type {
  Answer,
  GroupListener,
  HostOptions,
  RaftGroup,
  RaftHost,
} from "../../src/host/port.ts";
import type { GroupId, RaftStorage } from "../../src/storage/port.ts";
import { openStorage } from "../../src/storage/storage.ts";
import type { NodeName } from "../../src/transport/port.ts";
import { ListMachine } from "./list-machine.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { Network } from "./network.ts";

export const TICK = 10;
/** In which everything of a tick comes to rest: an append takes a dozen turns of the loop. */
const TURNS_PER_TICK = 12;
const PATIENCE_TICKS = 3_000;

export interface Heard {
  readonly leading: string[];
  readonly leaders: number[];
  readonly ended: string[];
}

export class TestNode {
  readonly name: NodeName;
  disk: MemoryDisk = new MemoryDisk();
  readonly errors: string[] = [];
  readonly machines = new Map<GroupId, ListMachine>();
  readonly groups = new Map<GroupId, RaftGroup>();
  readonly heard: Heard = { leading: [], leaders: [], ended: [] };
  storage!: RaftStorage;
  host!: RaftHost;
  running = false;
  readonly #cluster: Cluster;
  #seed: number;

  constructor(cluster: Cluster, name: NodeName, seed: number) {
    this.#cluster = cluster;
    this.name = name;
    this.#seed = seed;
  }

  async start(): Promise<void> {
    const { time, network, options } = this.#cluster;
    const random = seededRandom(this.#seed++);
    const logger: Logger = {
      ...silentLogger,
      error: (fields, message) => {
        this.errors.push(`${message} ${JSON.stringify(fields)}`);
      },
    };
    this.storage = openStorage({
      directory: "/raft",
      disk: this.disk,
      random,
      timers: time,
      logger,
    });
    await this.storage.start();
    this.host = createHost({
      node: this.name,
      storage: this.storage,
      transport: network.transport(this.name),
      clock: time,
      timers: time,
      random,
      logger,
      defer: setImmediate,
      tick: TICK,
      electionTicks: 10,
      heartbeatTicks: 2,
      maxProposals: 1_000,
      maxProposalBytes: 1 << 20,
      snapshotEvery: 1 << 20,
      keepTail: 1 << 16,
      ...options,
    });
    this.running = true;
    await this.host.start();
  }

  async open(
    group: GroupId,
    bootstrap?: { replica: number; voters: ReadonlyMap<number, NodeName> },
    machine: ListMachine = new ListMachine(),
  ): Promise<RaftGroup> {
    const listener: GroupListener = {
      onLeading: (leading, term) => this.heard.leading.push(`${leading} ${term}`),
      onLeader: (leader) => this.heard.leaders.push(leader),
      onEnded: (reason) => this.heard.ended.push(reason),
    };
    this.machines.set(group, machine);
    const options = { group, machine, listener };
    const opened = await this.host.open(
      bootstrap === undefined ? options : { ...options, bootstrap },
    );
    this.groups.set(group, opened);
    return opened;
  }

  group(id: GroupId = 0): RaftGroup {
    const group = this.groups.get(id);
    if (group === undefined) throw new Error(`${this.name} has no group ${id}`);
    return group;
  }

  machine(id: GroupId = 0): ListMachine {
    return this.machines.get(id)!;
  }

  get leads(): boolean {
    return this.running && this.groups.get(0)?.status.role === "leader";
  }

  /** In order: everything that waits is answered. */
  async stop(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    await this.host.stop();
    await this.storage.stop();
  }

  /** The disk stays; what it has is there when the node starts again. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
    for (const id of this.groups.keys()) await this.open(id);
  }
}

export class Cluster {
  readonly time: FakeTime = new FakeTime();
  readonly network: Network = new Network();
  readonly options: Partial<HostOptions>;
  readonly nodes: TestNode[] = [];

  constructor(options: Partial<HostOptions> = {}, scope: Scope = testScope()) {
    this.options = options;
    scope.defer(async () => {
      for (const node of this.nodes) await node.stop();
    });
  }

  /** Group 0 on the nodes n1, n2, …, replica i on node i. */
  static async of(size: number, options: Partial<HostOptions> = {}): Promise<Cluster> {
    const cluster = new Cluster(options);
    for (let i = 0; i < size; i++) await cluster.add();
    await cluster.open(0);
    return cluster;
  }

  async add(): Promise<TestNode> {
    const number = this.nodes.length + 1;
    const node = new TestNode(this, `n${number}`, number * 1_000);
    this.nodes.push(node);
    await node.start();
    return node;
  }

  async open(group: GroupId): Promise<void> {
    const voters = new Map(this.nodes.map((node, i) => [i + 1, node.name]));
    const opened = this.nodes.map((node, i) => node.open(group, { replica: i + 1, voters }));
    await (opened.length > 1 ? this.answer(Promise.all(opened)) : opened[0]);
  }

  get leader(): TestNode | undefined {
    const leaders = this.nodes.filter((node) => node.leads);
    return leaders.toSorted((a, b) => b.group().status.term - a.group().status.term)[0];
  }

  get followers(): TestNode[] {
    return this.nodes.filter((node) => node.running && node !== this.leader);
  }

  /** Who leads and may serve. */
  async elected(): Promise<TestNode> {
    await this.until(() => this.leader?.heard.leading.at(-1)?.startsWith("true"), "a leader");
    return this.leader!;
  }

  /** Time goes on until the condition holds. */
  async until<T>(
    condition: () => T,
    what: string,
  ): Promise<Exclude<T, undefined | null | false | 0 | "">> {
    for (let ticks = 0; ticks < PATIENCE_TICKS; ticks++) {
      const answer = condition();
      if (answer) return answer as Exclude<T, undefined | null | false | 0 | "">;
      await this.tick();
    }
    throw new Error(`waited in vain for ${what}: ${JSON.stringify(this.describe())}`);
  }

  async ticks(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.tick();
  }

  async tick(): Promise<void> {
    this.time.advance(TICK);
    await this.turns(TURNS_PER_TICK);
  }

  async turns(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** The answer of something that needs time. */
  async answer<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.until(() => isSettled, "an answer");
    return promise;
  }

  async propose(line: string, node?: TestNode): Promise<Answer> {
    const to = node ?? (await this.elected());
    return this.answer(to.group().propose(Buffer.from(line)));
  }

  describe(): unknown {
    return this.nodes.map(({ name, running, groups, host }) => ({
      name,
      running,
      founding: host.founding(0),
      groups: [...groups.values()].map(({ status }) => ({
        ...status,
        configuration: status.configuration.voters.join(),
      })),
    }));
  }
}

/** Writes and syncs do not end until what this returns is called. */
export function hang({ disk }: TestNode): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => {
    disk.hang = undefined;
    resolve();
  };
  disk.hang = promise;
  testScope().defer(end);
  return end;
}
