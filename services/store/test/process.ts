import { type MemoryDisk, MemoryStore } from "@canopy/store/memory";
import type { ShardControl, StoreServiceOptions } from "../src/index.ts";
import { World } from "./harness.ts";

/** A store process that is told by the test which shards it owns. */
export class StoreProcess extends World {
  readonly control: ShardControl;
  /** Shards for which a higher epoch was asked, and above which. */
  readonly asked: [shard: number, above: number][];
  readonly lease: { isValid: boolean };

  constructor(disk: MemoryDisk, options: Partial<StoreServiceOptions> = {}) {
    const asked: [number, number][] = [];
    const lease = { isValid: true };
    super({
      store: new MemoryStore(disk),
      ownership: () => ({
        incarnation: 1,
        start: async () => {},
        reopen: async (shard, above) => {
          asked.push([shard, above]);
        },
        valid: () => lease.isValid,
      }),
      ...options,
    });
    this.control = this.service.control;
    this.asked = asked;
    this.lease = lease;
  }
}

/** A process that owns every shard under the epoch, once the promise has settled. */
export async function owning(
  disk: MemoryDisk,
  epoch: number,
  options: Partial<StoreServiceOptions> = {},
): Promise<StoreProcess> {
  const process = new StoreProcess(disk, options);
  await own(process, epoch);
  return process;
}

export async function own(process: StoreProcess, epoch: number): Promise<void> {
  await process.start();
  const shards = Array.from({ length: process.shards.shards }, (_, shard) => shard);
  await Promise.all(shards.map((shard) => process.control.own(shard, epoch, 1)));
}

/** Holds all appends on the disk until the returned function is called. */
export function hold(disk: MemoryDisk): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  disk.gate = promise;
  return () => {
    disk.gate = undefined;
    resolve();
  };
}
