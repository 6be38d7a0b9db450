/** Several store processes over one backend, as gateways of a cluster see them. */
import { seededRandom, silentLogger, systemClock, systemTimers } from "@canopy/base";
import { ClusterShards, type StoreNodes, type StoreNodesListener } from "@canopy/cluster";
import { type Change, ClusterView } from "@canopy/control";
import type { PublishBatch, Records, Shards } from "@canopy/store";
import { MemoryDisk } from "@canopy/store/memory";
import { SHARDS, settled } from "./harness.ts";
import { StoreProcess } from "./process.ts";
import { arrived } from "./wire.ts";

/** Incarnations of the store processes. */
const STORES = [1, 2];

/** A gateway's connections; those of a process can be cut. */
class Nodes implements StoreNodes {
  readonly #ports: ReadonlyMap<number, Shards>;
  readonly #cut = new Set<number>();
  #listener: StoreNodesListener | undefined;

  constructor(processes: ReadonlyMap<number, StoreProcess>) {
    this.#ports = new Map([...processes].map(([store, process]) => [store, portOf(process)]));
  }

  get(store: number): Shards | undefined {
    return this.#cut.has(store) ? undefined : this.#ports.get(store);
  }

  cut(store: number): void {
    this.#cut.add(store);
    this.#listener?.disconnected(store);
  }

  reset(store: number): void {
    this.#listener?.disconnected(store);
    this.#listener?.connected(store);
  }

  listen(listener: StoreNodesListener): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }
}

/** Of one gateway to all of them. */
type Connection = StoreNodes & { cut?(store: number): void; end?(): Promise<void> };

/** How gateways reach the store processes. */
export interface Reach {
  start(processes: ReadonlyMap<number, StoreProcess>): Promise<void>;
  address(store: number): string;
  /** Of a gateway that has this view. */
  connect(view: ClusterView): Connection;
  stop(): Promise<void>;
}

class InProcess implements Reach {
  #processes: ReadonlyMap<number, StoreProcess> = new Map();

  async start(processes: ReadonlyMap<number, StoreProcess>): Promise<void> {
    this.#processes = processes;
  }

  address(): string {
    return "";
  }

  connect(): Nodes {
    return new Nodes(this.#processes);
  }

  async stop(): Promise<void> {}
}

/** A process has topics of its own, in which it keeps what matches them. */
function portOf(process: StoreProcess): Shards {
  const { shards } = process.service;
  const publish = (batch: PublishBatch & { records: Records }): void => {
    const { bytes, length, count, starts, ends } = batch.records;
    const topics = batch.records.topics.map(({ name }) => process.topic(name));
    batch.records = { bytes, length, count, starts, ends, topics };
    shards.publish(batch);
  };
  return new Proxy(shards, {
    get(target, key) {
      if (key === "publish") return publish;
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Two store processes, and the control log in the hand of the test. */
export class Several {
  readonly disk = new MemoryDisk();
  readonly processes = new Map(STORES.map((store) => [store, new StoreProcess(this.disk)]));
  readonly #changes: Change[] = [];
  readonly #reach: Reach;
  readonly #gateways: {
    readonly view: ClusterView;
    readonly nodes: Connection;
    end(): void;
  }[] = [];
  /** Changes are few: gateways join behind them. */
  #version = 1;

  constructor(reach: Reach = new InProcess()) {
    this.#reach = reach;
  }

  get first(): StoreProcess {
    return this.processes.get(1) as StoreProcess;
  }

  async start(): Promise<void> {
    await Promise.all(this.#all().map((process) => process.start()));
    await this.#reach.start(this.processes);
  }

  async stop(): Promise<void> {
    this.disk.gate = undefined;
    for (const gateway of this.#gateways) {
      gateway.end();
      await gateway.nodes.end?.();
    }
    await this.#reach.stop();
    await Promise.all(this.#all().map(({ service }) => service.stop()));
  }

  connect(): ClusterShards {
    const view = new ClusterView();
    view.load({
      version: 1,
      shards: SHARDS,
      groups: 1,
      members: STORES.map((incarnation) => {
        const name = `store-${incarnation}`;
        const address = this.#reach.address(incarnation);
        return { kind: "store", incarnation, name, address, disk: "" };
      }),
      down: [],
      places: Array.from({ length: SHARDS }, (_, shard) => {
        return { shard, owner: 0, epoch: 0, home: "" };
      }),
      nodes: [],
      bans: [],
    });
    const version = this.#version;
    view.apply(
      this.#changes.map((change) => ({ version, change })),
      version,
    );
    const nodes = this.#reach.connect(view);
    const shards = new ClusterShards({
      view,
      nodes,
      clock: systemClock,
      timers: systemTimers,
      random: seededRandom(1),
      logger: silentLogger,
      waitTimeout: 5_000,
      maxUnansweredBytes: 1_000_000,
      callTimeout: 5_000,
      readTimeout: 500,
    });
    this.#gateways.push({ view, nodes, end: () => shards.close() });
    return shards;
  }

  /** Whatever was said to or by the processes has arrived. */
  async settle(): Promise<void> {
    await settled();
    for (const { nodes } of this.#gateways) {
      for (const store of STORES) {
        const port = nodes.get(store);
        if (port !== undefined) await arrived(port);
      }
    }
  }

  /** Every other shard is the second process's, unless it is said whose it is; settles when it accepts batches. */
  async own(shard: number, epoch: number, owner = 1 + (shard % 2)): Promise<void> {
    const process = this.processes.get(owner) as StoreProcess;
    this.#commit({ type: "shard", place: { shard, owner, epoch, home: "" } });
    await process.control.own(shard, epoch, this.#version);
  }

  /** The process's lease has ended; it may not know. */
  down(store: number): void {
    for (const { nodes } of this.#gateways) nodes.cut?.(store);
    this.#commit({ type: "store-down", incarnation: store });
  }

  #commit(change: Change): void {
    const version = ++this.#version;
    this.#changes.push(change);
    for (const { view } of this.#gateways) view.apply([{ version, change }], version);
  }

  #all(): StoreProcess[] {
    return [...this.processes.values()];
  }
}
