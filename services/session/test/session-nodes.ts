/** Session nodes that create a cluster, join it and leave it, in one process. */
import { seededRandom, silentLogger } from "@canopy/base";
import { ControlClient } from "@canopy/cluster";
import { FakeTime, tempDir, testScope, waitFor } from "@canopy/testkit";
import { SessionNode } from "../src/node.ts";
import { FakeStores } from "./harness.ts";
import { RaftNetwork } from "./raft-network.ts";

export const SHARDS = 4;
export const GROUPS = 3;
/** Real ms for a tick of 50: an election timeout is still long beside what a busy disk does. */
const TICK_MS = 1;

/** One life of a process. */
export class NodeLife {
  readonly name: string;
  readonly node: SessionNode;
  readonly client: ControlClient;
  /** Settles when it has entered the cluster and all its groups are open. */
  entered: Promise<void> = Promise.resolve();
  ended: string[] = [];

  constructor(name: string, node: SessionNode, client: ControlClient) {
    this.name = name;
    this.node = node;
    this.client = client;
  }

  async stop(): Promise<void> {
    this.client.close();
    const { sessions, control, raft } = this.node;
    for (const part of [sessions, control, raft]) await part.stop();
    await this.entered.catch(() => {});
  }
}

export class NodeCluster {
  readonly time: FakeTime = new FakeTime();
  readonly network: RaftNetwork = new RaftNetwork();
  readonly lives: Map<string, NodeLife> = new Map();
  readonly #founders: readonly string[];
  readonly #directory: string;
  #ticking = true;
  #seed = 1;

  private constructor(founders: readonly string[], directory: string) {
    this.#founders = founders;
    this.#directory = directory;
  }

  /** With a leader of every group. */
  static async start(founders: readonly string[]): Promise<NodeCluster> {
    const scope = testScope();
    const cluster = new NodeCluster(founders, await tempDir(scope));
    scope.defer(() => cluster.#stop());
    void cluster.#tick();
    const lives = await Promise.all(founders.map((name) => cluster.begin(name)));
    await Promise.all(lives.map(({ entered }) => entered));
    return cluster;
  }

  /** With the disk that it had, or, by `folder`, another one. Settles before it has entered. */
  async begin(name: string, folder: string = name): Promise<NodeLife> {
    const { time } = this;
    const around = { clock: time, timers: time, random: seededRandom(this.#seed++) };
    const life: NodeLife = new NodeLife(
      name,
      new SessionNode({
        ...around,
        logger: silentLogger,
        name,
        founders: this.#founders,
        shards: SHARDS,
        groups: GROUPS,
        directory: `${this.#directory}/${folder}`,
        durability: "os",
        snapshotEvery: 2 ** 40,
        keepTail: 0,
        transport: this.network.transport(name),
        tick: 50,
        lease: 3_000,
        absence: 500,
        expectedStores: 1,
        store: () => new FakeStores(),
        onEnded: (reason) => life.ended.push(reason),
      }),
      new ControlClient({
        ...around,
        nodes: () => [...this.lives.keys()],
        connect: (other) => {
          const reached = this.lives.get(other);
          const isCut = this.network.cutOff.has(other) || this.network.cutOff.has(name);
          if (reached === undefined || isCut) throw new Error("unreachable");
          return reached.node.control.control;
        },
      }),
    );
    this.lives.set(name, life);
    await life.node.raft.start();
    life.entered = this.#enter(life);
    life.entered.catch(() => {});
    return life;
  }

  /** Killed, and its disk is left. */
  async kill(name: string): Promise<void> {
    const life = this.of(name);
    this.network.cutOff.add(name);
    this.lives.delete(name);
    await life.stop();
    this.network.cutOff.delete(name);
  }

  of(name: string): NodeLife {
    return this.lives.get(name) as NodeLife;
  }

  /** The node that leads a group (0: the control group), undefined where none or several do. */
  leader(group: number): NodeLife | undefined {
    const leading = [...this.lives.values()].filter(({ name, node }) => {
      const service = group === 0 ? node.control : node.group(group);
      return service?.leading === true && !this.network.cutOff.has(name);
    });
    return leading.length === 1 ? leading[0] : undefined;
  }

  /** Names of the nodes with voters, of every group, as its leader has them. */
  voters(): (readonly string[] | undefined)[] {
    return Array.from({ length: 1 + GROUPS }, (_, group) => {
      const node = this.leader(group)?.node;
      const raft = group === 0 ? node?.control.raft : node?.group(group)?.raft;
      if (raft === undefined) return undefined;
      const { voters, learners, nodes } = raft.status.configuration;
      return [...voters, ...learners.map((id) => -id)].map((id) =>
        id < 0 ? `learner ${-id}` : `${nodes.get(id)?.name}`,
      );
    });
  }

  /** Until every group has exactly these voters. */
  async settle(...names: readonly string[]): Promise<void> {
    const what = () => `${names.join()} in ${JSON.stringify(this.voters())}`;
    const isSo = () => this.voters().every((voters) => voters?.toSorted().join() === names.join());
    await waitFor(isSo, { what });
  }

  /** Who leads each group. */
  leaders(): (string | undefined)[] {
    return Array.from({ length: 1 + GROUPS }, (_, group) => this.leader(group)?.name);
  }

  async #enter({ node, client, name }: NodeLife): Promise<void> {
    await node.enter(client, `${name}:1`);
    await node.sessions.start();
  }

  async #stop(): Promise<void> {
    await Promise.all([...this.lives.values()].map((life) => life.stop()));
    this.#ticking = false;
  }

  async #tick(): Promise<void> {
    while (this.#ticking) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      this.time.advance(50);
    }
  }
}
