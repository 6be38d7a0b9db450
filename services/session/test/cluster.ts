/** Three session services over three nodes of one group. */
import { silentLogger } from "@canopy/base";
import type { ClusterView } from "@canopy/control";
import type { GatewayPeer } from "@canopy/session";
import { FakeTime, tempDir, testScope, waitFor } from "@canopy/testkit";
import { createSessionService, type SessionService } from "../src/service.ts";
import { FakeControl } from "./fake-control.ts";
import { FakeStores, idlePeer, SHARDS } from "./harness.ts";
import { RaftNetwork } from "./raft-network.ts";
import { RaftNode } from "./raft-node.ts";

const NODES = ["a", "b", "c"];
/** Real ms for a tick of 100: an election timeout is still long beside what a busy disk does. */
const TICK_MS = 2;

/** The group that its nodes run, and of how many. */
interface GroupPlace {
  readonly group: number;
  readonly groups: number;
}

export class Member {
  readonly name: string;
  readonly raft: RaftNode;
  readonly service: SessionService;
  /** What this node knows of the control log. */
  readonly view: ClusterView;

  constructor(name: string, raft: RaftNode, service: SessionService, view: ClusterView) {
    this.name = name;
    this.raft = raft;
    this.service = service;
    this.view = view;
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await this.raft.stop();
  }
}

export class Cluster {
  readonly time: FakeTime = new FakeTime();
  /** The first store process, which owns every shard. */
  readonly stores: FakeStores = new FakeStores();
  readonly control: FakeControl = new FakeControl(SHARDS);
  /** Store process → what it was told. */
  readonly sinks: Map<number, FakeStores> = new Map();
  readonly network: RaftNetwork = new RaftNetwork();
  members: Member[] = [];
  readonly #directory: string;
  readonly #placement: GroupPlace;
  #ticking = true;

  private constructor(directory: string, placement: GroupPlace) {
    this.#directory = directory;
    this.#placement = placement;
  }

  /** With a leader. */
  static async start(placement = { group: 2, groups: 3 }): Promise<Cluster> {
    const scope = testScope();
    const cluster = new Cluster(await tempDir(scope), placement);
    const store = cluster.addStore(cluster.stores);
    for (let shard = 0; shard < SHARDS; shard++) cluster.control.own(shard, store, 1);
    scope.defer(() => cluster.#stop());
    void cluster.#tick();
    await Promise.all(NODES.map((name) => cluster.add(name)));
    await cluster.leader();
    return cluster;
  }

  async add(name: string): Promise<Member> {
    const raftTime = this.time;
    const raft = new RaftNode({
      directory: `${this.#directory}/${name}`,
      raftTime,
      node: name,
      transport: this.network.transport(name),
      seed: name.charCodeAt(0),
    });
    const view = this.control.view();
    const service = createSessionService({
      host: raft.host,
      ...this.#placement,
      bootstrap: {
        replica: 1 + NODES.indexOf(name),
        voters: new Map(NODES.map((node, i) => [i + 1, node])),
      },
      shards: SHARDS,
      clock: this.time,
      timers: this.time,
      logger: silentLogger,
      cluster: view,
      store: ({ incarnation }) => this.sinks.get(incarnation) as FakeStores,
    });
    const member = new Member(name, raft, service, view);
    this.members.push(member);
    await raft.start();
    await service.start();
    return member;
  }

  /** A store process that joins; its incarnation. */
  addStore(sink: FakeStores): number {
    const incarnation = this.control.version + 1;
    this.sinks.set(incarnation, sink);
    return this.control.join("store");
  }

  /** A new gateway's life; its incarnation. */
  async attach({ service }: Member, peer: GatewayPeer = idlePeer): Promise<number> {
    const gateway = this.control.join("gateway");
    await service.sessions.attach(gateway, peer);
    return gateway;
  }

  /** The gateway's lease has ended, and every store process knows it. */
  end(gateway: number): void {
    this.control.down(gateway);
    this.control.gone(gateway);
  }

  /** The one that leads among those that can. */
  async leader(): Promise<Member> {
    const leading = () =>
      this.members.filter(({ name, service }) => service.leading && !this.network.cutOff.has(name));
    await waitFor(() => leading().length === 1);
    return leading()[0] as Member;
  }

  /** As a killed process: nothing that it says or does is seen any more. */
  async kill(member: Member): Promise<void> {
    this.network.cutOff.add(member.name);
    this.members = this.members.filter((other) => other !== member);
    await member.stop();
  }

  async #stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    this.#ticking = false;
  }

  async #tick(): Promise<void> {
    while (this.#ticking) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      this.time.advance(100);
    }
  }
}
