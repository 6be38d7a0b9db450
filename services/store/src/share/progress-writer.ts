import type { Clock, Timer, Timers } from "@canopy/base";
import { StoreError } from "@canopy/store";
import type { SideWrites } from "../side-writes.ts";
import type { Group } from "./group.ts";
import type { GroupReader } from "./reader.ts";

/** How long progress stays in memory alone: what a crash costs is redelivery at QoS 1. */
const INTERVAL = 200;
/** Writing progress may take at most this part of the time. */
const SHARE_OF_TIME = 1 / 20;

const EMPTY: Uint8Array = new Uint8Array(0);

/** Writes the progress of shared groups: lazily, or at once where a session waits for it. */
export class ProgressWriter {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #sideWrites: (shard: number) => SideWrites;
  readonly #dirty = new Map<GroupReader, Group>();
  #timer: Timer | undefined;
  #interval = INTERVAL;
  #isStopped = false;

  constructor(clock: Clock, timers: Timers, sideWrites: (shard: number) => SideWrites) {
    this.#clock = clock;
    this.#timers = timers;
    this.#sideWrites = sideWrites;
  }

  changed(reader: GroupReader, group: Group): void {
    if (reader.dirty || this.#isStopped) return;
    reader.dirty = true;
    this.#dirty.set(reader, group);
    this.#timer ??= this.#timers.set(this.#interval, () => {
      this.#timer = undefined;
      void this.flush();
    });
  }

  /** Settles when the reader's present progress is on disk. */
  write(reader: GroupReader, group: Group): Promise<void> {
    this.#dirty.delete(reader);
    return this.#write(reader, group);
  }

  /** Settles when all progress is on disk, or was found impossible to write. */
  async flush(): Promise<void> {
    const writes: Promise<void>[] = [];
    for (const [reader, group] of this.#dirty) writes.push(this.#write(reader, group));
    this.#dirty.clear();
    await Promise.allSettled(writes);
  }

  /** The last time: what can't be written now is not tried again. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.flush();
  }

  async #write(reader: GroupReader, group: Group): Promise<void> {
    try {
      requireCurrent(reader, group);
      await this.#sideWrites(reader.shard).progress(group.name, () => this.#encode(reader, group));
      requireCurrent(reader, group);
    } catch (error) {
      reader.dirty = false;
      if (!reader.isClosed) this.changed(reader, group);
      throw error;
    }
  }

  #encode(reader: GroupReader, group: Group): Uint8Array | undefined {
    // The queue has gone meanwhile; its progress must not come back.
    if (group.queue === undefined) return EMPTY;
    if (reader.isClosed) return undefined;
    const began = this.#clock.now();
    const bytes = reader.encode();
    reader.dirty = false;
    const spent = this.#clock.now() - began;
    this.#interval = Math.max(INTERVAL, spent * this.#dirty.size, spent / SHARE_OF_TIME);
    return bytes;
  }
}

/** Where its shard is opened anew, what is on disk counts, and what the next reader makes of it. */
function requireCurrent({ isClosed, shard }: GroupReader, { queue }: Group): void {
  if (!isClosed || queue === undefined) return;
  throw new StoreError("unavailable", `shard ${shard} is being opened`);
}
