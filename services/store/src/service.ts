import type { Lifecycle } from "@canopy/base";
import type { RouteSink } from "@canopy/session";
import { type Shards, StoreError } from "@canopy/store";
import { joinParts } from "./compose.ts";
import type { Counters } from "./counters.ts";
import type { StoreServiceOptions } from "./options.ts";
import type { ShardControl } from "./ownership.ts";
import type { Parts } from "./parts.ts";
import { RouteSinkPort } from "./route-sink.ts";
import { ShardsPort } from "./shards-port.ts";

/** The owner of this process's shards. */
export class StoreService implements Lifecycle {
  readonly shards: Shards;
  readonly routeSink: RouteSink;
  /** For who knows the control log. */
  readonly control: ShardControl;
  readonly counters: Readonly<Counters>;
  readonly #parts: Parts;

  constructor(options: StoreServiceOptions) {
    this.#parts = joinParts(options);
    this.shards = new ShardsPort(this.#parts);
    this.routeSink = new RouteSinkPort(this.#parts);
    this.control = this.#parts.openings;
    this.counters = this.#parts.counters;
  }

  async start(): Promise<void> {
    const { openings, ownership, started, maintenance } = this.#parts;
    try {
      await ownership.start();
    } catch (error) {
      openings.stop();
      throw error;
    }
    started.resolve();
    maintenance.start();
  }

  /** What has been published is settled first; the backend itself stays open. */
  async stop(): Promise<void> {
    const { maintenance, openings, progress, removals, shards, started } = this.#parts;
    started.promise.catch(() => {});
    started.reject(new StoreError("closed", "the store service was stopped before it had started"));
    openings.stop();
    await maintenance.stop();
    await Promise.all(shards.map((shard) => shard.pipeline.barrier()));
    await removals.idle();
    await progress.stop();
    await Promise.all(shards.map((shard) => shard.close()));
  }
}

export function createStoreService(options: StoreServiceOptions): StoreService {
  return new StoreService(options);
}
