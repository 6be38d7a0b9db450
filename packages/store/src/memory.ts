/**
 * A backend in memory, for tests and as the model that other backends are compared with. It is
 * simple rather than fast. What survives a close or a crash is in a {@link MemoryDisk}.
 */

import { type Faults, MemoryShard, MemoryShardDisk } from "./memory-shard.ts";
import { type ShardStore, type Store, StoreError, type StoreErrorCode } from "./port.ts";
import { checkEpoch } from "./validate.ts";

/** What stays when a store is closed: open another store on it to go on. */
export class MemoryDisk implements Faults {
  fault: StoreErrorCode | undefined;
  gate: Promise<void> | undefined;
  readonly #shards = new Map<number, MemoryShardDisk>();

  shard(shard: number): MemoryShardDisk {
    let disk = this.#shards.get(shard);
    if (disk === undefined) this.#shards.set(shard, (disk = new MemoryShardDisk(this)));
    return disk;
  }

  /** What the worst crash does: every trim that may be lost is. */
  loseTrims(): void {
    for (const disk of this.#shards.values()) disk.loseTrims();
  }
}

export class MemoryStore implements Store {
  readonly #disk: MemoryDisk;
  readonly #open = new Set<MemoryShard>();
  #closed = false;

  constructor(disk: MemoryDisk = new MemoryDisk()) {
    this.#disk = disk;
  }

  async epoch(shard: number): Promise<number> {
    this.#requireOpen();
    return this.#disk.shard(shard).epoch;
  }

  async open(shard: number, epoch: number): Promise<ShardStore> {
    this.#requireOpen();
    const disk = this.#disk.shard(shard);
    checkEpoch(shard, epoch, disk.epoch);
    if (this.#disk.fault !== undefined) throw new StoreError(this.#disk.fault, "injected fault");
    disk.epoch = epoch;
    const opened = new MemoryShard(disk, shard, epoch);
    this.#open.add(opened);
    return opened;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#open, (shard) => shard.close()));
  }

  #requireOpen(): void {
    if (this.#closed) throw new StoreError("closed", "the store is closed");
  }
}
