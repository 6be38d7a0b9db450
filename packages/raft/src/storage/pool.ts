/**
 * Makes segments ready before they are needed, and takes back those in which nothing is needed.
 *
 * A segment that is written within what is allocated already needs no change of the file's size to
 * be committed with each sync. So the next one is filled with zeros while the present one is
 * written, in slices, or made of one that is not needed any more.
 */
import { join } from "node:path";
import type { Logger, Random } from "@canopy/base";
import type { Disk } from "./disk.ts";
import { isSpare, Segment, segmentName } from "./segment.ts";

/** Between two slices whatever else waits for the disk has its turn. */
const SLICE_BYTES = 256 * 1024;
const ZEROS = Buffer.alloc(SLICE_BYTES);
/** Files kept to be used again. */
const SPARES = 2;

export interface PoolOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly random: Random;
  readonly logger: Logger;
  readonly segmentBytes: number;
}

export class SegmentPool {
  readonly #options: PoolOptions;
  readonly #spares: string[] = [];
  /** Number of the next segment. */
  #number = 1;
  #next: Promise<Segment | undefined> | undefined;
  #releasing: Promise<void> = Promise.resolve();
  /** Ascending; the first has lost its name already if `gone`, which may not be on the disk yet. */
  readonly #unneeded: number[] = [];
  #gone = false;
  #spare: string | undefined;
  #stopped = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** `next`: above every number that is taken. Removes what is of no use: `unused` and half-made files. */
  async start(next: number, unused: readonly number[]): Promise<void> {
    const { disk, directory, segmentBytes } = this.#options;
    this.#number = next;
    for (const name of await disk.list(directory)) {
      const path = join(directory, name);
      if (!isSpare(name)) continue;
      const isWhole = (await sizeOf(disk, path)) === segmentBytes;
      if (isWhole && this.#spares.length < SPARES) this.#spares.push(path);
      else await disk.remove(path);
    }
    for (const number of unused) await disk.remove(join(directory, segmentName(number)));
  }

  /** Begins to make the next one ready in the background, unless that is under way. */
  prepare(): void {
    this.#next ??= this.#prepare();
  }

  /** One that is ready, or made in haste: then it grows while it is written. */
  async take(): Promise<Segment> {
    const segment = (await this.#next) ?? (await this.#begin(false));
    // Only now: where there is no room, trying to fill one each time would take what is left of it.
    this.#next = undefined;
    return segment;
  }

  /** Nothing was ever written in it of which anybody was told. */
  async discard(segment: Segment): Promise<void> {
    await segment.close().catch(() => {});
    await this.#options.disk.remove(segment.path).catch(() => {});
  }

  /** One after the other, each for good: what is left is always without a gap. */
  release(numbers: readonly number[]): void {
    this.#unneeded.push(...numbers);
    this.#releasing = this.#releasing.then(async () => {
      try {
        while (this.#unneeded.length > 0 && !this.#stopped) await this.#release();
      } catch (error) {
        // It goes on with the next one that is released, or at the next start.
        this.#warn("an old segment of the log could not be removed", error);
      }
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#releasing;
    const next = await this.#next;
    await next?.close().catch(() => {});
  }

  async #prepare(): Promise<Segment | undefined> {
    try {
      return await this.#begin(true);
    } catch (error) {
      if (!this.#stopped) this.#warn("no segment of the log could be made ready", error);
      return undefined;
    }
  }

  async #begin(fill: boolean): Promise<Segment> {
    const { disk, directory, random } = this.#options;
    const number = this.#number;
    const spare = this.#spares.pop();
    const path = spare ?? join(directory, `${segmentName(number)}.tmp`);
    let exists = spare !== undefined;
    try {
      if (!exists && fill) {
        await this.#fill(path);
        exists = true;
      }
      const segment = await Segment.begin(disk, directory, number, random, { path, exists });
      this.#number++;
      return segment;
    } catch (error) {
      // Under which of its names it is now is not known. Should it stay, a start recognises it.
      await disk.remove(path).catch(() => {});
      await disk.remove(join(directory, segmentName(number))).catch(() => {});
      throw error;
    }
  }

  async #fill(path: string): Promise<void> {
    const { disk, segmentBytes } = this.#options;
    const file = await disk.create(path);
    try {
      for (let at = 0; at < segmentBytes; at += SLICE_BYTES) {
        if (this.#stopped) throw new Error("stopped");
        await file.write(ZEROS.subarray(0, Math.min(SLICE_BYTES, segmentBytes - at)), at);
        // What has collected would hold up the log's own syncs.
        await file.sync();
      }
    } finally {
      await file.close();
    }
  }

  async #release(): Promise<void> {
    const { disk, directory, segmentBytes } = this.#options;
    const name = segmentName(this.#unneeded[0] as number);
    if (!this.#gone) {
      const path = join(directory, name);
      const isWhole = (await sizeOf(disk, path)) === segmentBytes;
      this.#spare =
        isWhole && this.#spares.length < SPARES
          ? join(directory, name.replace("wal", "spare"))
          : undefined;
      if (this.#spare === undefined) await disk.remove(path);
      else await disk.rename(path, this.#spare);
      this.#gone = true;
    }
    await disk.syncDirectory(directory);
    if (this.#spare !== undefined) this.#spares.push(this.#spare);
    this.#gone = false;
    this.#unneeded.shift();
  }

  #warn(what: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.logger.warn({ directory: this.#options.directory, error: reason }, what);
  }
}

async function sizeOf(disk: Disk, path: string): Promise<number> {
  const file = await disk.open(path);
  try {
    return await file.size();
  } finally {
    await file.close();
  }
}
