import type { Offset } from "@canopy/store";
import type { DiskReader } from "./disk-reader.ts";
import { corrupt } from "./errors.ts";
import { LAST, PLACE, type QueueIndex, RUN, SEGMENT } from "./queue-index.ts";
import { aboveInRun, type Run } from "./run.ts";
import type { TailSegment } from "./segments.ts";
import type { ShardState } from "./shard-state.ts";

/** The offset of a cursor that has come to the end. */
export const END: number = Number.POSITIVE_INFINITY;

/**
 * A place in one queue, moving towards higher offsets. After anything was awaited the index may
 * have changed (trims, sealing), so {@link seek} must be called again.
 */
export class Cursor {
  /** Index of the queue in the request. */
  readonly index: number;
  readonly #state: ShardState;
  readonly #reader: DiskReader;
  readonly #name: string;
  #after: Offset;
  /** The message it stands at. */
  offset: Offset = 0;
  size: number = 0;
  segment: number = 0;
  record: number = 0;
  #queue: QueueIndex | undefined;
  #run: Run | undefined;
  #place = 0;
  /** Index in the run, or position in the queue's entries. */
  #at = 0;
  #tail: TailSegment | undefined;

  constructor(
    state: ShardState,
    reader: DiskReader,
    index: number,
    position: { queue: string; after: Offset },
  ) {
    this.#state = state;
    this.#reader = reader;
    this.index = index;
    this.#name = position.queue;
    this.#after = position.after;
  }

  /**
   * Finds the first message behind the last one that it stood at. Returns what has to be awaited
   * before it can be told, if anything: then it must be called again.
   */
  seek(): Promise<void> | undefined {
    this.#queue = this.#state.queues.get(this.#name);
    this.#tail = undefined;
    if (this.#queue === undefined) {
      this.offset = END;
      return undefined;
    }
    const after = Math.max(this.#after, this.#queue.floor);
    const at = runAbove(this.#queue, after);
    if (at < 0) {
      this.#run = undefined;
      this.#at = this.#queue.above(after);
      this.#standInTail(this.#queue);
      return undefined;
    }
    const segment = this.#queue.runs[at + SEGMENT] as number;
    const place = this.#queue.runs[at + PLACE] as number;
    const run = this.#loaded(segment, place);
    if (run === undefined) return this.#load(segment, place);
    this.#at = aboveInRun(run, after);
    this.#standInRun(run);
    return undefined;
  }

  #loaded(segment: number, place: number): Run | undefined {
    if (this.#run?.segment !== segment || this.#place !== place) {
      this.#run = this.#reader.cachedRun(segment, place);
      this.#place = place;
    }
    return this.#run;
  }

  /** Keeps the run itself: the cache may be too small for all that one read needs. */
  async #load(segment: number, place: number): Promise<void> {
    this.#run = await this.#reader.run(segment, place);
    this.#place = place;
    if (this.#run === undefined) this.#missing(segment, place);
  }

  /** A run may go while it is loaded, but then the index knows it. */
  #missing(segment: number, place: number): void {
    const runs = this.#state.queues.get(this.#name)?.runs ?? [];
    for (let at = 0; at < runs.length; at += RUN) {
      if (runs[at + SEGMENT] === segment && runs[at + PLACE] === place) {
        throw corrupt(`a run of segment ${segment} is missing`);
      }
    }
  }

  /** Goes to the next message; false if it must {@link seek} it. */
  next(): boolean {
    this.#after = this.offset;
    const run = this.#run;
    if (run !== undefined) {
      if (++this.#at === run.offsets.length) return false;
      this.#standInRun(run);
    } else if (this.#queue !== undefined) {
      this.#at += 2;
      this.#standInTail(this.#queue);
    }
    return true;
  }

  #standInRun(run: Run): void {
    const at = this.#at;
    this.offset = run.offsets[at] as number;
    this.size = run.sizes[at] as number;
    this.segment = run.segment;
    this.record = run.records[at] as number;
  }

  #standInTail(queue: QueueIndex): void {
    const at = this.#at;
    const { entries } = queue;
    if (at >= entries.length) {
      this.offset = END;
      return;
    }
    const offset = entries[at] as number;
    const before = at === queue.start ? queue.base : (entries[at - 1] as number);
    this.offset = offset;
    this.size = (entries[at + 1] as number) - before;
    let tail = this.#tail;
    if (tail === undefined || offset > tail.last) this.#tail = tail = this.#state.tailOf(offset);
    this.segment = tail?.id ?? 0;
    this.record = tail?.recordOf(offset) ?? 0;
  }
}

/** Position in `runs` of the first one that reaches beyond this offset; -1 if none does. */
function runAbove(queue: QueueIndex, after: Offset): number {
  const { runs } = queue;
  let low = 0;
  let high = runs.length / RUN;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((runs[middle * RUN + LAST] as number) <= after) low = middle + 1;
    else high = middle;
  }
  return low * RUN < runs.length ? low * RUN : -1;
}
