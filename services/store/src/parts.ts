import type { Deferred } from "@canopy/base";
import type { Counters } from "./counters.ts";
import type { Gateways } from "./gateways.ts";
import type { Maintenance } from "./maintenance.ts";
import type { Openings } from "./openings.ts";
import type { StoreServiceOptions } from "./options.ts";
import type { Ownership } from "./ownership.ts";
import type { Reads } from "./reads.ts";
import type { Removals } from "./removals.ts";
import type { Retained } from "./retained.ts";
import type { RetainedLimit } from "./retention.ts";
import type { Routes } from "./routes.ts";
import type { SessionGroups } from "./session-groups.ts";
import type { Shard } from "./shard.ts";
import type { ProgressWriter } from "./share/progress-writer.ts";
import type { Shares } from "./share/shares.ts";
import type { Subscribers } from "./subscribers.ts";
import type { Wills } from "./wills.ts";

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
  readonly groups: SessionGroups;
  readonly gateways: Gateways;
  readonly openings: Openings;
  readonly ownership: Ownership;
  readonly maintenance: Maintenance;
  readonly counters: Counters;
}

export function shardOf(shards: readonly Shard[], number: number): Shard {
  const shard = shards[number];
  if (shard === undefined) throw new RangeError(`there is no shard ${number}`);
  return shard;
}
