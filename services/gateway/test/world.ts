import { allowAll, anonymous } from "@canopy/auth";
import { type Logger, type Random, Stack, seededRandom, silentLogger } from "@canopy/base";
import type { ConnectionSettings } from "@canopy/connection";
import { aloneTransport, createHost, openStorage, type RaftHost } from "@canopy/raft";
import { Alone, createSessionService, type SessionService } from "@canopy/session-service";
import { MemoryDisk, MemoryStore } from "@canopy/store/memory";
import { createStoreService, type StoreService } from "@canopy/store-service";
import { FakeTime, testScope } from "@canopy/testkit";
import { TopicTable } from "@canopy/topic";
import { Gateway, type GatewayLimits, type ListenOptions } from "../src/index.ts";
import type { GatewayOptions } from "../src/options.ts";
import { MemoryLogDisk } from "./memory-log-disk.ts";
import { MemoryTransport, type Peer } from "./memory-transport.ts";

export const SETTINGS: ConnectionSettings = {
  maxPacketSize: 8 * 1024 * 1024,
  maximumQos: 2,
  retainAvailable: true,
  wildcardSubscriptionAvailable: true,
  sharedSubscriptionAvailable: true,
  subscriptionIdentifiersAvailable: true,
  receiveMaximum: 100,
  topicAliasMaximum: 10,
  topicAliasMaximumOutbound: 10,
  maxInflight: 100,
  serverKeepAlive: undefined,
  maxKeepAlive: 0,
  maxSessionExpiry: 0xff_ff_ff_ff,
  maxClientIdLength: 1000,
  maxTopicLength: 1000,
  maxTopicLevels: 100,
  maxSubscriptionsPerSession: 100,
};

export const LIMITS: GatewayLimits = {
  maxConnections: 0,
  connectTimeout: 10_000,
  transientQueueMessages: 1000,
  transientQueueBytes: 1024 * 1024,
  transientOverflow: "disconnect",
  connectionOutputBytes: 16 * 1024 * 1024,
  gatewayOutputBytes: 2 ** 30,
  answerTimeout: 6000,
  progressInterval: 200,
  shutdownTimeout: 5000,
};

export interface WorldOptions {
  readonly settings?: Partial<ConnectionSettings>;
  readonly limits?: Partial<GatewayLimits>;
  readonly shards?: number;
  readonly sysInterval?: number;
  readonly listen?: readonly ListenOptions[];
  readonly logger?: Logger;
  readonly random?: Random;
  readonly mayAnswer?: () => boolean;
  readonly whyBanned?: GatewayOptions["whyBanned"];
}

/**
 * A whole broker in the test's own process: the gateway over the real services, these over disks in
 * memory; no socket, and a clock that only the test moves. Everything that happens follows from the
 * order of turns of the event loop, so that a seed repeats it.
 */
export class World {
  readonly time: FakeTime = new FakeTime();
  /** That of the session group, for how long it waits for a disk that fails. */
  readonly raftTime: FakeTime = new FakeTime();
  readonly disk: MemoryDisk = new MemoryDisk();
  readonly logDisk: MemoryLogDisk = new MemoryLogDisk();
  readonly random: Random;
  readonly #options: WorldOptions;
  #stack = new Stack();
  gateway!: Gateway;
  store!: StoreService;
  sessions!: SessionService;

  private constructor(options: WorldOptions) {
    this.#options = options;
    this.random = options.random ?? seededRandom(1);
  }

  /** Started; it stops with the test. */
  static async start(options: WorldOptions = {}): Promise<World> {
    const scope = testScope();
    const world = await World.open(options);
    scope.defer(() => world.stop());
    return world;
  }

  /** Started; the caller stops it. */
  static async open(options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    await world.#start();
    return world;
  }

  async stop(): Promise<void> {
    await this.#stack.stop();
  }

  /** A new life of the process over the same disks. */
  async restart(): Promise<void> {
    await this.stop();
    await this.#start();
  }

  /** A connection to the gateway. */
  open(peer: Peer, random?: Random): MemoryTransport {
    const transport = new MemoryTransport(random);
    const handler = this.gateway.accept(transport);
    if (handler === undefined) throw new Error("the gateway takes no more connections");
    transport.attach(handler, peer);
    return transport;
  }

  /** Turns of the event loop go by; many enough that all that needs no time has happened. */
  async settle(turns = 60): Promise<void> {
    for (let i = 0; i < turns; i++) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
  }

  /** Time goes by, in steps, so that what one timer leads to can set the next. */
  async pass(ms: number, step = 50): Promise<void> {
    for (let left = ms; left > 0; left -= step) {
      this.time.advance(Math.min(step, left));
      this.raftTime.advance(Math.min(step, left));
      await this.settle(5);
    }
    await this.settle();
  }

  /** Nothing gets to the store's disk until the returned function is called. */
  holdDisk(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.disk.gate = promise;
    return () => {
      this.disk.gate = undefined;
      resolve();
    };
  }

  /** Nor to the disk of the sessions' log. */
  holdLog(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.logDisk.gate = promise;
    return () => {
      this.logDisk.gate = undefined;
      resolve();
    };
  }

  async #start(): Promise<void> {
    const { shards = 3, settings, limits, sysInterval = 0, listen = [] } = this.#options;
    const { mayAnswer = () => true, whyBanned = () => undefined } = this.#options;
    const logger = this.#options.logger ?? silentLogger;
    const topics = new TopicTable(shards);
    const common = { clock: this.time, timers: this.time, logger };
    this.store = createStoreService({
      ...common,
      store: new MemoryStore(this.disk),
      shards,
      queries: () => [this.sessions.queries],
      limits: {
        maxQueuedMessages: 1_000_000,
        maxQueuedBytes: 2 ** 30,
        maxQueuedAge: 0,
        maxRetained: 0,
      },
      shared: { strategy: "least-inflight", strategies: {} },
      topics,
      random: this.random,
      waitTimeout: 60_000,
    });
    this.#stack = new Stack();
    const alone = new Alone(shards);
    this.sessions = createSessionService({
      ...common,
      host: this.#addRaft(logger),
      group: 1,
      bootstrap: { replica: 1, voters: new Map([[1, "alone"]]) },
      shards,
      cluster: alone.view,
      store: () => this.store.routeSink,
    });
    this.gateway = new Gateway({
      ...common,
      listen,
      settings: { ...SETTINGS, ...settings },
      limits: { ...LIMITS, ...limits },
      sysInterval,
      version: "test",
      incarnation: () => alone.gateway,
      sessions: this.sessions.sessions,
      shards: this.store.shards,
      authenticator: anonymous(),
      authorizer: allowAll,
      topics,
      random: this.random,
      mayAnswer,
      whyBanned,
    });
    this.#stack.add(this.sessions);
    const begin = async () => alone.begin(this.sessions.version);
    this.#stack.add({ start: begin, stop: async () => {} });
    this.#stack.add(this.store);
    this.#stack.add(this.gateway);
    await this.#stack.start();
  }

  #addRaft(logger: Logger): RaftHost {
    const common = { random: this.random, timers: this.raftTime, logger };
    const storage = openStorage({
      ...common,
      directory: "raft",
      disk: this.logDisk,
      segmentBytes: 1 << 16,
    });
    this.#stack.add(storage);
    const host = createHost({
      ...common,
      node: "alone",
      storage,
      transport: aloneTransport,
      clock: this.raftTime,
      defer: setImmediate,
      tick: 100,
      electionTicks: 10,
      heartbeatTicks: 1,
      maxProposals: 100_000,
      maxProposalBytes: 256 << 20,
      snapshotEvery: 1 << 20,
      keepTail: 0,
    });
    return this.#stack.add(host);
  }
}
