import { Deferred } from "@canopy/base";
import { RecordView } from "@canopy/codec";
import type { ShardStore } from "@canopy/store";
import { Counters } from "./counters.ts";
import { Gateways } from "./gateways.ts";
import { Maintenance } from "./maintenance.ts";
import { Openings } from "./openings.ts";
import { MAX_UNSETTLED_BYTES, type StoreServiceOptions } from "./options.ts";
import { ownAlone } from "./ownership.ts";
import { type Parts, shardOf } from "./parts.ts";
import { RetainedPurge } from "./purge.ts";
import { Pusher } from "./push.ts";
import { Reads } from "./reads.ts";
import { Removals } from "./removals.ts";
import { Retained } from "./retained.ts";
import { RetainedLimit } from "./retention.ts";
import { Routes } from "./routes.ts";
import { SessionGroups } from "./session-groups.ts";
import { Shard } from "./shard.ts";
import type { GroupParts } from "./share/group.ts";
import { ProgressWriter } from "./share/progress-writer.ts";
import { Shares } from "./share/shares.ts";
import { Subscribers } from "./subscribers.ts";
import { Trimmer, type TrimParts } from "./trim.ts";
import { Wills } from "./wills.ts";

export function joinParts(options: StoreServiceOptions): Parts {
  const { clock, timers, logger, topics, queries } = options;
  const counters = new Counters();
  const subscribers = new Subscribers();
  const shards: Shard[] = [];
  const limit = new RetainedLimit(options.limits.maxRetained, () => storesOf(shards));
  const urgent = (): void => maintenance.hurry();
  const ask = (shard: number, above: number): Promise<void> => ownership.reopen(shard, above);
  const valid = (): boolean => ownership.valid();
  makeShards(shards, options, { subscribers, counters, limit, urgent, ask, valid });
  const groups = new SessionGroups(queries, (filter) => routes.groupsOf(filter));
  const retained = new Retained(shards, clock);
  const removals = new Removals(shards, logger);
  const progress = new ProgressWriter(clock, timers, (shard) => shardOf(shards, shard).sideWrites);
  const shares: Shares = new Shares({
    subscribers,
    options: options.shared,
    random: options.random,
    logger,
    groups,
    group: groupParts(options, shards, counters, progress),
    removeQueue: (name) => removals.remove(name),
  });
  const routes: Routes = new Routes(subscribers, shares, removals);
  const maintenance: Maintenance = makeMaintenance(options, {
    shards,
    groups,
    routes,
    shares,
    removals,
    counters,
    retained,
  });
  const reads = new Reads((shard) => shardOf(shards, shard).owner);
  const wills = new Wills(shards, topics, (group) => routes.termOf(group));
  const gateways = new Gateways({
    subscribers,
    shares,
    logger,
    isLive: (gateway) => openings.isLive(gateway),
    isDown: (gateway) => openings.isDown(gateway),
    pushAgain: (link) => {
      for (const shard of shards) shard.pushAgain(link);
    },
  });
  const opening = { options, shards, shares, routes, removals, groups, gateways };
  const openings = new Openings({ ...opening, ownership: () => ownership });
  const ownership = (options.ownership ?? ownAlone(options.store, options.shards))(openings);
  return {
    ...opening,
    started: new Deferred(),
    subscribers,
    reads,
    retained,
    limit,
    progress,
    wills,
    maintenance,
    counters,
    openings,
    ownership,
  };
}

function makeMaintenance(
  options: StoreServiceOptions,
  parts: Omit<TrimParts, "clock" | "logger" | "limits"> & Pick<Parts, "shards" | "retained">,
): Maintenance {
  const { clock, timers, logger, limits } = options;
  const { shards, retained, shares } = parts;
  const trimming = { clock, logger, limits, ...parts };
  return new Maintenance({
    clock,
    timers,
    logger,
    shares,
    trimmers: shards.map((shard) => new Trimmer(shard, trimming)),
    purges: shards.map((shard) => new RetainedPurge(shard, retained, logger)),
  });
}

interface Shared {
  readonly subscribers: Subscribers;
  readonly counters: Counters;
  readonly limit: RetainedLimit;
  readonly urgent: () => void;
  readonly ask: (shard: number, above: number) => Promise<void>;
  readonly valid: () => boolean;
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
    isReady: (shard) => shardOf(shards, shard).isReady,
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
