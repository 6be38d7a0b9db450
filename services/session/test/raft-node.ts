/** One node of Raft over real files. */
import { type Clock, type Logger, seededRandom, silentLogger, type Timers } from "@canopy/base";
import {
  aloneTransport,
  createHost,
  type Disk,
  openStorage,
  type RaftHost,
  type RaftStorage,
  type StorageDurability,
  type Transport,
} from "@canopy/raft";

export interface RaftNodeOptions {
  readonly directory: string;
  /** Election timeouts and the patience with a failing disk go by it. */
  readonly raftTime: Clock & Timers;
  readonly node?: string;
  readonly transport?: Transport;
  readonly disk?: Disk;
  readonly durability?: StorageDurability;
  readonly snapshotEvery?: number;
  readonly segmentBytes?: number;
  readonly maxProposals?: number;
  readonly seed?: number;
  readonly logger?: Logger;
}

export class RaftNode {
  readonly storage: RaftStorage;
  readonly host: RaftHost;
  #stopped = false;

  constructor(options: RaftNodeOptions) {
    const { directory, disk, durability = "os", segmentBytes = 1 << 20, seed = 1 } = options;
    const { raftTime: time } = options;
    const random = seededRandom(seed);
    const logger = options.logger ?? silentLogger;
    const common = { timers: time, random, logger };
    this.storage = openStorage({
      ...common,
      directory,
      durability,
      segmentBytes,
      ...(disk && { disk }),
    });
    this.host = createHost({
      ...common,
      node: options.node ?? "alone",
      storage: this.storage,
      transport: options.transport ?? aloneTransport,
      clock: time,
      defer: setImmediate,
      tick: 100,
      electionTicks: 10,
      heartbeatTicks: 1,
      maxProposals: options.maxProposals ?? 100_000,
      maxProposalBytes: 256 << 20,
      snapshotEvery: options.snapshotEvery ?? 2 ** 40,
      keepTail: 0,
    });
  }

  async start(): Promise<void> {
    await this.storage.start();
    await this.host.start();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.host.stop();
    await this.storage.stop();
  }
}
