import { Deferred } from "@canopy/base";
import { RecordView } from "@canopy/codec";
import type { ShardStore } from "@canopy/store";
import { Counters } from "./counters.ts";
import { Maintenance } from "./maintenance.ts";
import { MAX_UNSETTLED_BYTES, type StoreServiceOptions } from "./options.ts";
import { RetainedPurge } from "./purge.ts";
import { Pusher } from "./push.ts";
import { Reads } from "./reads.ts";
import { Removals } from "./removals.ts";
import { Retained } from "./retained.ts";
import { RetainedLimit } from "./retention.ts";
import { Routes } from "./routes.ts";
import { Shard } from "./shard.ts";
import type { GroupParts } from "./share/group.ts";
import { ProgressWriter } from "./share/progress-writer.ts";
import { Shares } from "./share/shares.ts";
import { Subscribers } from "./subscribers.ts";
import { Trimmer } from "./trim.ts";
import { Wills } from "./wills.ts";

/** The parts of the service, joined but not started. */
export interface Parts {
  /** Settles when the shards are open: sessions may ask for something before. */
  readonly started: Deferred;
  readonly options: StoreServiceOptions;
  readonly shards: readonly Shard[];
  readonly subscribers: Subscribers;
  readonly reads: Reads;
  readonly retained: Retained;
  readonly limit: RetainedLimit;
  readonly removals: Removals;
  readonly shares: Shares;
  readonly progress: ProgressWriter;
  readonly routes: Routes;
  readonly wills: Wills;
  readonly maintenance: Maintenance;
  readonly counters: Counters;
}

export function joinParts(options: StoreServiceOptions): Parts {
  const { clock, timers, logger, topics, queries } = options;
  const counters = new Counters();
  const subscribers = new Subscribers();
  const shards: Shard[] = [];
  const limit = new RetainedLimit(options.limits.maxRetained, () => storesOf(shards));
  const urgent = (): void => maintenance.hurry();
  makeShards(shards, options, { subscribers, counters, limit, urgent });
  const retained = new Retained(shards, clock);
  const removals = new Removals(shards, logger);
  const progress = new ProgressWriter(clock, timers, (shard) => shardOf(shards, shard).sideWrites);
  const shares: Shares = new Shares({
    subscribers,
    options: options.shared,
    random: options.random,
    logger,
    queries,
    group: groupParts(options, shards, counters, progress),
    removeQueue: (name) => removals.remove(name),
  });
  const routes = new Routes(subscribers, shares, removals);
  const trimming = { clock, logger, limits: options.limits, queries };
  const maintenance: Maintenance = new Maintenance({
    clock,
    timers,
    logger,
    shares,
    trimmers: shards.map(
      (shard) => new Trimmer(shard, { ...trimming, routes, shares, removals, counters }),
    ),
    purges: shards.map((shard) => new RetainedPurge(shard, retained, logger)),
  });
  const reads = new Reads((shard) => shardOf(shards, shard).owner);
  const wills = new Wills(shards, topics);
  return {
    started: new Deferred(),
    options,
    shards,
    subscribers,
    reads,
    retained,
    limit,
    removals,
    shares,
    progress,
    routes,
    wills,
    maintenance,
    counters,
  };
}

export function shardOf(shards: readonly Shard[], number: number): Shard {
  const shard = shards[number];
  if (shard === undefined) throw new RangeError(`there is no shard ${number}`);
  return shard;
}

interface Shared {
  readonly subscribers: Subscribers;
  readonly counters: Counters;
  readonly limit: RetainedLimit;
  readonly urgent: () => void;
}

function makeShards(shards: Shard[], options: StoreServiceOptions, shared: Shared): void {
  const { store, clock, timers, logger, waitTimeout, limits } = options;
  const maxUnsettledBytes = options.maxUnsettledBytes ?? MAX_UNSETTLED_BYTES;
  const pusher = new Pusher();
  const own = { store, clock, timers, logger, waitTimeout, limits, maxUnsettledBytes, pusher };
  for (let number = 0; number < options.shards; number++) {
    shards.push(new Shard(number, { ...own, ...shared }));
  }
}

function* storesOf(shards: readonly Shard[]): Generator<ShardStore | undefined> {
  for (const shard of shards) yield shard.owner.known;
}

function groupParts(
  options: StoreServiceOptions,
  shards: readonly Shard[],
  counters: Counters,
  progress: ProgressWriter,
): GroupParts {
  const { clock, logger, topics } = options;
  const view = new RecordView();
  return {
    read: async (shard, queue, after, limits) =>
      shardOf(shards, shard).owner.require().read([{ queue, after }], limits),
    open: ({ bytes, start, end }) => {
      view.set(bytes, start, end);
      const { expiresAt } = view;
      if (expiresAt !== 0 && expiresAt <= clock.wall()) return undefined;
      return topics.intern(bytes, view.topicStart + 2, view.topicEnd);
    },
    epoch: (shard) => shardOf(shards, shard).owner.epoch,
    changed: (reader, group) => {
      if (reader.dirty) return;
      progress.changed(reader, group);
      shardOf(shards, reader.shard).queues.touchIfThere(group.name);
    },
    failed: (error, queue, shard) =>
      logger.warn({ err: error, queue, shard }, "a shared subscription could not be read"),
    undispatched: () => {
      counters.undispatched++;
    },
  };
}
