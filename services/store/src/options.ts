import type { Clock, Logger, Random, Timers } from "@canopy/base";
import type { SharedStrategy } from "@canopy/config";
import type { SessionQueries } from "@canopy/session";
import type { Store } from "@canopy/store";
import type { TopicTable } from "@canopy/topic";
import type { Ownership, ShardControl } from "./ownership.ts";

/** Of every queue (one filter in one shard); beyond them the oldest messages are dropped. */
export interface QueueLimits {
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
  /** Milliseconds since the message was accepted; 0 = no limit. */
  readonly maxQueuedAge: number;
}

export interface StoreLimits extends QueueLimits {
  /** Topics with a retained message, over all shards; 0 = no limit. */
  readonly maxRetained: number;
}

export interface SharedOptions {
  readonly strategy: SharedStrategy;
  /** By the name of the group, the ShareName of `$share/{ShareName}/…`. */
  readonly strategies: Readonly<Record<string, SharedStrategy>>;
}

export interface StoreServiceOptions {
  readonly store: Store;
  readonly shards: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /**
   * One for each session group, in the order of their numbers, from 1. Asked from
   * {@link Lifecycle.start} on, not before: the session service is made later.
   */
  readonly queries: () => readonly SessionQueries[];
  /** Which shards are this process's. Without it: all, and nobody else is there. */
  readonly ownership?: (control: ShardControl) => Ownership;
  readonly limits: StoreLimits;
  readonly shared: SharedOptions;
  readonly topics: TopicTable;
  readonly random: Random;
  /** Milliseconds that a message waits for the backend before it is answered with an error. */
  readonly waitTimeout: number;
  /** Bytes per shard that may be on their way to the backend; beyond them there is no room (0x97). */
  readonly maxUnsettledBytes?: number;
}

/** Half a second of a fast disk; enough to keep any backend busy. */
export const MAX_UNSETTLED_BYTES: number = 64 * 2 ** 20;
