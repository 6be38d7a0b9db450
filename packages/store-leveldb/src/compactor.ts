import type { Timer, Timers } from "@canopy/base";
import type { Committer } from "./committer.ts";
import type { Database } from "./database.ts";
import { behind, PROBE_KEY, prefixOf } from "./keys.ts";

/**
 * Dropped bytes after which LevelDB is told to give the room back. While much is written its own
 * compactions do; this is for when less comes.
 */
const COMPACT_BYTES = 256 * 2 ** 20;

/** Between two attempts while the disk stays nearly full. */
const RETRY_MS = 2000;

export interface CompactorParts {
  readonly database: Database;
  readonly committer: Committer;
  readonly timers: Timers;
  /** Whether the disk is nearly full: then even a little is worth it. */
  readonly isLow: () => boolean;
}

/** Gives the room of dropped segments back: LevelDB by itself may keep what was deleted for long. */
export class Compactor {
  readonly #parts: CompactorParts;
  /** Dropped since the last time. */
  #segments: number[] = [];
  #bytes = 0;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: CompactorParts) {
    this.#parts = parts;
  }

  dropped(segment: number, bytes: number): void {
    this.#segments.push(segment);
    this.#bytes += bytes;
  }

  /** Compacts in the background if it is worth it. */
  consider(): void {
    const isDue = this.#bytes >= COMPACT_BYTES || (this.#bytes > 0 && this.#parts.isLow());
    if (!isDue || this.#running !== undefined || this.#stopped) return;
    const segments = this.#segments.sort((a, b) => a - b);
    const bytes = this.#bytes;
    this.#segments = [];
    this.#bytes = 0;
    this.#running = this.#compact(segments)
      // The write that follows has found it out and had it repaired.
      .catch(() => {})
      .then(() => {
        this.#running = undefined;
        if (this.#parts.isLow()) this.#again(segments, bytes);
        else this.consider();
      });
  }

  /** It failed, or it was not enough: nothing else may come that would start it again. */
  #again(segments: readonly number[], bytes: number): void {
    this.#segments.push(...segments);
    this.#bytes += bytes;
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.timers.set(RETRY_MS, () => this.consider());
  }

  async #compact(segments: readonly number[]): Promise<void> {
    const { database, committer } = this.#parts;
    for (let i = 0; i < segments.length && !this.#stopped; ) {
      const from = prefixOf("record", segments[i++] as number);
      while (segments[i] === (segments[i - 1] as number) + 1) i++;
      await database.compact(from, behind(prefixOf("record", segments[i - 1] as number)));
    }
    // LevelDB tells of a failed compaction only at the next write, and there may be none.
    await committer.write([{ type: "del", key: PROBE_KEY }]);
  }

  /** Settles when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }
}
