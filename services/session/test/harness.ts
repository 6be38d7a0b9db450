/** A session service over real files and a fake clock, and what its neighbours saw. */
import { silentLogger } from "@canopy/base";
import {
  EXPIRY_NEVER,
  type GatewayPeer,
  type Opened,
  type OpenRequest,
  type Progress,
  type ReleaseRequest,
  type RouteBatch,
  type RouteChange,
  type RouteSink,
  type Sessions,
  type SubscribeRequest,
  type WillPublication,
} from "@canopy/session";
import { FakeTime, tempDir, testScope } from "@canopy/testkit";
import {
  createSessionService,
  type SessionService,
  type SessionServiceOptions,
} from "../src/service.ts";
import { RaftNode, type RaftNodeOptions } from "./raft-node.ts";

export const SHARDS = 4;

/** Stores that take everything, unless told otherwise. */
export class FakeStores implements RouteSink {
  headsNow: readonly number[] = [10, 20, 30, 40];
  headsAsked = 0;
  readonly changes: RouteChange[] = [];
  readonly wills: { incarnation: number; epoch: number; record: Uint8Array }[] = [];
  readonly ended: number[] = [];
  /** Each call first waits for what this gives. */
  gate: (call: string) => Promise<void> = () => Promise.resolve();

  /** Whether this will can't be stored now. */
  refuse: (record: Uint8Array) => boolean = () => false;

  async heads(): Promise<readonly number[]> {
    this.headsAsked++;
    await this.gate("heads");
    return this.headsNow;
  }

  async routes({ changes }: RouteBatch): Promise<void> {
    await this.gate("routes");
    this.changes.push(...changes);
  }

  async publishWill({ incarnation, epoch, record }: WillPublication): Promise<void> {
    await this.gate("publishWill");
    if (this.refuse(record)) throw new Error("no room for this one");
    this.wills.push({ incarnation, epoch, record });
  }

  async sessionsEnded(incarnations: readonly number[]): Promise<void> {
    await this.gate("sessionsEnded");
    this.ended.push(...incarnations);
  }
}

export type HarnessOptions = Partial<SessionServiceOptions & RaftNodeOptions>;

/** A service whose group has no other voter. */
export class Harness {
  readonly time = new FakeTime();
  readonly raftTime = new FakeTime();
  readonly stores = new FakeStores();
  readonly directory: string;
  raft: RaftNode;
  service: SessionService;
  #options: HarnessOptions;

  private constructor(directory: string, options: HarnessOptions) {
    this.directory = directory;
    this.#options = options;
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

  /** A new life of the process over the same files. */
  async restart(options: HarnessOptions = {}): Promise<void> {
    await this.stop();
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
      group: 0,
      bootstrap: { replica: 1, voters: new Map([[1, "alone"]]) },
      shards: SHARDS,
      clock: this.time,
      timers: this.time,
      logger: silentLogger,
      routeSink: this.stores,
      ...this.#options,
    });
  }
}

export const idlePeer = { stop: () => {} };

let requests = 0;
let gateways = 0;

/** A new gateway's life; its incarnation. */
export async function attach(sessions: Sessions, peer: GatewayPeer = idlePeer): Promise<number> {
  const gateway = ++gateways;
  await sessions.attach(gateway, peer);
  return gateway;
}

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

/** A will whose record is long enough to carry its times. */
export function willRecord(text: string): Uint8Array {
  return Buffer.concat([Buffer.alloc(14, 1), Buffer.from(text)]);
}
