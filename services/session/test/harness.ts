/** A session service over real files and a fake clock, and what its neighbours saw. */
import { silentLogger } from "@canopy/base";
import { encodeRecord, RecordView } from "@canopy/codec";
import type { ClusterView } from "@canopy/control";
import {
  EXPIRY_NEVER,
  type GatewayPeer,
  type Opened,
  type OpenRequest,
  type Progress,
  type ReleaseRequest,
  type SubscribeRequest,
} from "@canopy/session";
import { FakeStores } from "@canopy/session/contract";
import { FakeTime, tempDir, testScope, waitFor } from "@canopy/testkit";
import { TopicTable } from "@canopy/topic";
import {
  createSessionService,
  type SessionService,
  type SessionServiceOptions,
} from "../src/service.ts";
import { FakeControl } from "./fake-control.ts";
import { RaftNode, type RaftNodeOptions } from "./raft-node.ts";

export { FakeStores };

export const SHARDS = 4;

export type HarnessOptions = Partial<SessionServiceOptions & RaftNodeOptions>;

/** A service whose group has no other voter. */
export class Harness {
  readonly time = new FakeTime();
  readonly raftTime = new FakeTime();
  readonly stores = new FakeStores();
  readonly control = new FakeControl(SHARDS);
  /** What this node knows of it. */
  view: ClusterView = this.control.view();
  /** Of the first store process, which owns every shard. */
  readonly store: number;
  readonly #sinks = new Map<number, FakeStores>();
  readonly directory: string;
  raft: RaftNode;
  service: SessionService;
  #options: HarnessOptions;
  #gateways: number[] = [];

  private constructor(directory: string, options: HarnessOptions) {
    this.directory = directory;
    this.#options = options;
    this.store = this.addStore(this.stores);
    for (let shard = 0; shard < SHARDS; shard++) this.control.own(shard, this.store, 1);
    this.raft = this.#createRaft();
    this.service = this.#createService();
  }

  static async start(options: HarnessOptions = {}): Promise<Harness> {
    const scope = testScope();
    const harness = new Harness(options.directory ?? (await tempDir(scope)), options);
    scope.defer(() => harness.stop());
    await harness.#start();
    return harness;
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await this.raft.stop();
  }

  /** A new gateway's life; its incarnation. */
  async attach(peer: GatewayPeer = idlePeer): Promise<number> {
    const gateway = this.control.join("gateway");
    this.#gateways.push(gateway);
    await this.sessions.attach(gateway, peer);
    return gateway;
  }

  /** A store process that joins; its incarnation. */
  addStore(sink: FakeStores): number {
    const incarnation = this.control.version + 1;
    this.#sinks.set(incarnation, sink);
    return this.control.join("store");
  }

  /** Settles when this gateway's sessions are released; so many clients are connected elsewhere. */
  async end(gateway: number, connected = 0): Promise<void> {
    const version = this.#end(gateway);
    this.#gateways = this.#gateways.filter((other) => other !== gateway);
    const { service } = this;
    await waitFor(() => service.version >= version && service.counts.connected === connected);
  }

  #end(gateway: number): number {
    this.control.down(gateway);
    return this.control.gone(gateway);
  }

  /** A new life of the process over the same files, and of its gateways. */
  async restart(options: HarnessOptions = {}): Promise<void> {
    await this.stop();
    for (const gateway of this.#gateways.splice(0)) this.#end(gateway);
    this.#options = { ...this.#options, ...options };
    this.raft = this.#createRaft();
    this.service = this.#createService();
    await this.#start();
  }

  get sessions(): SessionService["sessions"] {
    return this.service.sessions;
  }

  async #start(): Promise<void> {
    await this.raft.start();
    await this.service.start();
  }

  #createRaft(): RaftNode {
    const { directory, raftTime } = this;
    return new RaftNode({ directory, raftTime, ...this.#options });
  }

  #createService(): SessionService {
    return createSessionService({
      host: this.raft.host,
      group: 1,
      bootstrap: { replica: 1, voters: new Map([[1, "alone"]]) },
      shards: SHARDS,
      clock: this.time,
      timers: this.time,
      logger: silentLogger,
      cluster: this.view,
      store: ({ incarnation }) => this.#sinks.get(incarnation) as FakeStores,
      ...this.#options,
    });
  }
}

export const idlePeer = { stop: () => {} };

let requests = 0;

export function openRequest(gateway: number, changes: Partial<OpenRequest> = {}): OpenRequest {
  return {
    clientId: "client",
    gateway,
    requestId: ++requests,
    cleanStart: false,
    expiry: EXPIRY_NEVER,
    will: undefined,
    user: undefined,
    ...changes,
  };
}

export function progressOf(opened: Opened, changes: Partial<Progress> = {}): Progress {
  const { incarnation, epoch } = opened;
  return {
    incarnation,
    epoch,
    cursors: [],
    done: [],
    drained: [],
    retainedAfter: [],
    retainedSent: [],
    ...changes,
  };
}

export function releaseOf(opened: Opened, changes: Partial<ReleaseRequest> = {}): ReleaseRequest {
  return {
    ...progressOf(opened),
    will: "publish",
    expiry: undefined,
    unfinished: [],
    ...changes,
  };
}

export function subscribeTo(opened: Opened, ...filters: string[]): SubscribeRequest {
  const { incarnation, epoch } = opened;
  return {
    incarnation,
    epoch,
    subscriptions: filters.map((filter) => ({
      filter,
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
      subscriptionIdentifier: 0,
      sendRetained: false,
    })),
  };
}

const topics = new TopicTable(SHARDS);

/** A message to the topic "wills", unless told otherwise. */
export function willRecord(text: string, topic = "wills"): Uint8Array {
  const interned = topics.internString(topic);
  if (interned === undefined) throw new Error(`no topic name: ${topic}`);
  const payload = Buffer.from(text);
  const clientId = Buffer.from("client");
  return encodeRecord({ topic: interned, payload, qos: 1, retain: false, clientId, acceptedAt: 0 });
}

export function textOf(record: Uint8Array): string {
  const bytes = Buffer.from(record);
  const { payloadStart, payloadEnd } = new RecordView().set(bytes, 0, bytes.length);
  return bytes.toString("utf8", payloadStart, payloadEnd);
}
