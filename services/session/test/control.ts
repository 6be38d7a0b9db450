/** Control services over nodes of one group, and members of the cluster as they see them. */
import { silentLogger } from "@canopy/base";
import type {
  Announcement,
  Control,
  ControlError,
  JoinRequest,
  Version,
  VersionedChange,
  WatchSink,
  WholeView,
} from "@canopy/control";
import { ClusterView } from "@canopy/control";
import { FakeTime, tempDir, testScope, waitFor } from "@canopy/testkit";
import {
  type ControlService,
  type ControlServiceOptions,
  createControlService,
} from "../src/control/service.ts";
import { RaftNetwork } from "./raft-network.ts";
import { RaftNode } from "./raft-node.ts";

export const SHARDS = 4;
export const LEASE = 3_000;

export class ControlNode {
  readonly name: string;
  readonly raft: RaftNode;
  readonly service: ControlService;

  constructor(name: string, raft: RaftNode, service: ControlService) {
    this.name = name;
    this.raft = raft;
    this.service = service;
  }

  get control(): Control {
    return this.service.control;
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await this.raft.stop();
  }
}

export type ControlOptions = Partial<ControlServiceOptions>;

/** Real ms for a tick of 100: an election timeout is still long beside what a busy disk does. */
const TICK_MS = 2;

export class ControlCluster {
  /** Of the leases. */
  readonly time: FakeTime = new FakeTime();
  /** Of the elections; it goes by itself where there are several nodes. */
  readonly raftTime: FakeTime = new FakeTime();
  readonly network: RaftNetwork = new RaftNetwork();
  nodes: ControlNode[] = [];
  /** Elections go by pass(), too; else their time goes by itself. */
  together = false;
  readonly #names: readonly string[];
  readonly #directory: string;
  readonly #options: ControlOptions;
  #ticking = true;

  private constructor(names: readonly string[], directory: string, options: ControlOptions) {
    this.#names = names;
    this.#directory = directory;
    this.#options = options;
  }

  /** With a leader, and created. */
  static async start(size: number, options: ControlOptions = {}): Promise<ControlCluster> {
    const scope = testScope();
    const names = ["a", "b", "c"].slice(0, size);
    const cluster = new ControlCluster(names, await tempDir(scope), options);
    scope.defer(() => cluster.#stop());
    if (size > 1) void cluster.#tick();
    await Promise.all(names.map((name) => cluster.add(name)));
    const { service } = await cluster.leader();
    await waitFor(() => service.view.nodes().length === size);
    return cluster;
  }

  /** `wait`: until a leader is known. */
  async add(name: string, wait = true): Promise<ControlNode> {
    const raft = new RaftNode({
      directory: `${this.#directory}/${name}`,
      raftTime: this.raftTime,
      node: name,
      transport: this.network.transport(name),
      seed: name.charCodeAt(0),
    });
    const service = createControlService({
      host: raft.host,
      group: 0,
      bootstrap: {
        replica: 1 + this.#names.indexOf(name),
        voters: new Map(this.#names.map((node, i) => [i + 1, node])),
      },
      shards: SHARDS,
      groups: 2,
      lease: LEASE,
      clock: this.time,
      timers: this.time,
      logger: silentLogger,
      ...this.#options,
    });
    const node = new ControlNode(name, raft, service);
    this.nodes.push(node);
    await raft.start();
    const started = service.start();
    if (wait) await started;
    // It ends with the node, however far it came.
    else started.catch(() => {});
    return node;
  }

  /** The one that leads among those that can. */
  async leader(): Promise<ControlNode> {
    const leading = () =>
      this.nodes.filter(({ name, service }) => service.leading && !this.network.cutOff.has(name));
    await waitFor(() => leading().length === 1);
    return leading()[0] as ControlNode;
  }

  others(node: ControlNode): ControlNode[] {
    return this.nodes.filter((other) => other !== node);
  }

  /** As a killed process: nothing that it says or does is seen any more. */
  async kill(node: ControlNode): Promise<void> {
    this.network.cutOff.add(node.name);
    this.nodes = this.others(node);
    await node.stop();
  }

  /** Leases go on by so much, in small steps, and what follows from each is done before the next. */
  async pass(ms: number, meanwhile: () => unknown = () => {}): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      this.time.advance(100);
      if (this.together) {
        this.raftTime.advance(100);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await meanwhile();
      for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Time goes on until it is so. */
  async until(condition: () => boolean): Promise<void> {
    await waitFor(async () => {
      if (!condition()) await this.pass(100);
      return condition();
    });
  }

  async #stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    this.#ticking = false;
  }

  async #tick(): Promise<void> {
    while (this.#ticking) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      if (!this.together) this.raftTime.advance(100);
    }
  }
}

let tokens = 0;

export function gateway(name: string): JoinRequest {
  return { kind: "gateway", name, address: "", disk: "", token: `token ${++tokens}` };
}

export function session(name: string): Announcement {
  return { name, address: `${name}:1`, disk: name.charCodeAt(0), replica: 0 };
}

export function store(name: string, disk = ""): JoinRequest {
  return { kind: "store", name, address: `${name}:1`, disk, token: `token ${++tokens}` };
}

/** What a watcher was told. */
export class Seen implements WatchSink {
  readonly view: ClusterView = new ClusterView();
  readonly wholes: Version[] = [];
  readonly heard: VersionedChange[] = [];
  error: ControlError | undefined;

  whole(view: WholeView): void {
    this.wholes.push(view.version);
    this.view.load(view);
  }

  changes(changes: readonly VersionedChange[], version: Version): void {
    this.heard.push(...changes);
    this.view.apply(changes, version);
  }

  ended(error: ControlError): void {
    this.error = error;
  }
}
