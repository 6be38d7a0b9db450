/** Takes a snapshot when the log has grown by so much, and removes the files that it covers. */
import { join } from "node:path";
import type { Logger } from "@canopy/base";
import type { Disk } from "./disk.ts";
import { segmentIndex } from "./segment.ts";
import { snapshotIndex, writeSnapshot } from "./snapshot-file.ts";

/** After a failure the log grows by this part of the interval before the next try. */
const RETRY_PART = 8;

export class Compactor {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #every: number;
  readonly #logger: Logger;
  #bytes = 0;
  #dueAt: number;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(disk: Disk, directory: string, every: number, logger: Logger) {
    this.#disk = disk;
    this.#directory = directory;
    this.#every = every;
    this.#logger = logger;
    this.#dueAt = every;
  }

  get isDue(): boolean {
    return this.#bytes >= this.#dueAt && this.#running === undefined;
  }

  grew(bytes: number): void {
    this.#bytes += bytes;
  }

  postpone(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.warn({ directory: this.#directory, error: reason }, "session log not compacted");
    this.#dueAt = this.#bytes + this.#every / RETRY_PART;
  }

  /** `index` is the last command in the snapshot; the log goes on in a file that begins behind it. */
  begin(index: number, chunks: IterableIterator<Uint8Array>): void {
    this.#running = this.#compact(index, this.#bytes, chunks).finally(() => {
      this.#running = undefined;
    });
  }

  /** One under way is given up: the log has everything. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  /** An error is what keeps an unfinished snapshot from getting its name. */
  *#untilClosed(chunks: IterableIterator<Uint8Array>): Generator<Uint8Array, undefined> {
    for (const chunk of chunks) {
      if (this.#closed) throw new Error("the log is being closed");
      yield chunk;
    }
    return undefined;
  }

  async #compact(
    index: number,
    covered: number,
    chunks: IterableIterator<Uint8Array>,
  ): Promise<void> {
    try {
      const whole = this.#untilClosed(chunks);
      const bytes = await writeSnapshot(this.#disk, this.#directory, index, whole);
      this.#bytes -= covered;
      // A state that is larger than the interval would be written again and again.
      this.#dueAt = Math.max(this.#every, bytes);
      this.#logger.info({ directory: this.#directory, index, bytes }, "session snapshot written");
    } catch (error) {
      if (!this.#closed) this.postpone(error);
      return;
    }
    await this.#removeCovered(index).catch((error: unknown) => this.#warn(error));
  }

  /** What can't be removed now is removed at the next start or by the next snapshot. */
  async #removeCovered(index: number): Promise<void> {
    for (const name of await this.#disk.list(this.#directory)) {
      const isOld =
        (segmentIndex(name) ?? index + 1) <= index || (snapshotIndex(name) ?? index) < index;
      if (isOld) await this.#disk.remove(join(this.#directory, name));
    }
  }

  #warn(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.warn({ directory: this.#directory, error: reason }, "old log files not removed");
  }
}
