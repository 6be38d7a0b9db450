import type { Append, Offset, SenderSeq } from "@canopy/store";
import { Drops } from "./drops.ts";
import { corrupt } from "./errors.ts";
import { BYTES, FIRST, LAST, MESSAGES, PLACE, QueueIndex, RUN, SEGMENT } from "./queue-index.ts";
import { RetainedIndex } from "./retained-index.ts";
import { aboveInRun, type Run } from "./run.ts";
import type { SealedSegment, TailSegment } from "./segments.ts";

/** Decodes the run of a segment at a place, from a cache or from disk; undefined if it is gone. */
export type LoadRun = (segment: number, place: number) => Promise<Run | undefined>;

/** What is in memory of one shard: indexes, never bodies. Changes only by what is on disk. */
export class ShardState {
  readonly shard: number;
  epoch: number = 0;
  head: Offset = 0;
  /**
   * One per name: an empty one stays while a tail or `dirty` lists it. Else a second one of the name
   * could come and go beside it, and the first one's lower floor be written behind the second one's.
   */
  readonly queues: Map<string, QueueIndex> = new Map();
  readonly retained: RetainedIndex = new RetainedIndex();
  /** Session → keys. */
  readonly receipts: Map<number, Set<number>> = new Map();
  readonly senders: Map<string, SenderSeq> = new Map();
  readonly progress: Map<string, Uint8Array> = new Map();
  /** Segments that are not sealed yet, oldest first; the last one is appended to. */
  readonly tails: TailSegment[] = [];
  /** Ascending by offset; they don't overlap. */
  sealed: SealedSegment[] = [];
  readonly sealedById: Map<number, SealedSegment> = new Map();
  /** Queues whose trims concern sealed segments and are not on disk yet. */
  dirty: QueueIndex[] = [];
  readonly drops: Drops = new Drops();
  /** Called when a sealed segment lost messages. */
  onTrimmed: (segment: SealedSegment) => void = () => {};
  onDirty: () => void = () => {};

  constructor(shard: number) {
    this.shard = shard;
  }

  /** Takes in an append that is on disk in the segment; `floors` leaves out what was trimmed. */
  apply(append: Append, segment: TailSegment, floors?: ReadonlyMap<string, Offset>): void {
    const { first, ends } = append;
    if (ends.length > 0) {
      if (segment.first === 0) segment.first = first;
      segment.last = this.head = first + ends.length - 1;
    }
    for (const [name, indexes] of append.postings) {
      if (indexes.length > 0) this.#post(append, name, indexes, segment, floors?.get(name) ?? 0);
    }
    for (const { topic, index } of append.retained) {
      if (index < 0) this.retained.delete(topic);
      else this.retained.set(topic, first + index);
      segment.topics.add(topic);
    }
    this.#applyReceipts(append, segment);
    for (const sender of append.senders) {
      if (sender.seq === 0) this.senders.delete(sender.sender);
      else this.senders.set(sender.sender, { ...sender });
      segment.senders.add(sender.sender);
    }
    for (const [queue, value] of append.progress) {
      if (value.length === 0) this.progress.delete(queue);
      else this.progress.set(queue, new Uint8Array(value));
      segment.progress.add(queue);
      for (const tail of this.tails) tail.removed.delete(queue);
    }
  }

  #post(
    { first, ends }: Append,
    name: string,
    indexes: readonly number[],
    segment: TailSegment,
    floor: Offset,
  ): void {
    if (first + (indexes[indexes.length - 1] as number) <= floor) return;
    let queue = this.queues.get(name);
    if (queue === undefined) {
      this.queues.set(name, (queue = new QueueIndex(name)));
      // What a queue of this name held before is gone, and stays below what is written of this one.
      queue.floor = Math.max(floor, first + (indexes[0] as number) - 1);
    }
    if (queue.touched !== segment.id) {
      queue.touched = segment.id;
      segment.queues.push(queue);
    }
    for (const index of indexes) {
      if (first + index <= floor) continue;
      const begin = index === 0 ? 0 : (ends[index - 1] as number);
      queue.push(first + index, (ends[index] as number) - begin);
    }
  }

  #applyReceipts(append: Append, segment: TailSegment): void {
    for (const { session, key, add } of append.receipts) {
      let keys = this.receipts.get(session);
      if (add) {
        if (keys === undefined) this.receipts.set(session, (keys = new Set()));
        keys.add(key);
      } else if (keys?.delete(key) === true && keys.size === 0) {
        this.receipts.delete(session);
      }
      segment.receiptSessions.add(session);
    }
    for (const session of append.endedSessions) {
      this.receipts.delete(session);
      segment.receiptSessions.add(session);
    }
  }

  /** A queue was removed: its progress goes, on disk when the segment is sealed or the shard closed. */
  removeProgress(queue: string): void {
    if (!this.progress.delete(queue)) return;
    const tail = this.tails.at(-1);
    tail?.progress.add(queue);
    tail?.removed.add(queue);
  }

  /** The unsealed segment that holds this offset. */
  tailOf(offset: Offset): TailSegment | undefined {
    for (let i = this.tails.length - 1; i >= 0; i--) {
      const tail = this.tails[i] as TailSegment;
      if (tail.first > 0 && offset >= tail.first) return offset <= tail.last ? tail : undefined;
    }
    return undefined;
  }

  /**
   * Takes a queue's messages up to an offset out; returns how many. Reads a run only where it is cut
   * in two.
   */
  async trim(name: string, upTo: Offset, loadRun: LoadRun): Promise<number> {
    const queue = this.queues.get(name);
    if (queue === undefined) return 0;
    let before = queue.messages;
    queue.floor = Math.max(queue.floor, Math.min(upTo, this.head));
    queue.cut(queue.floor);
    this.dropRuns(queue);
    let taken = before - queue.messages;
    while (queue.runs.length > 0 && (queue.runs[FIRST] as number) <= queue.floor) {
      const segment = queue.runs[SEGMENT] as number;
      const place = queue.runs[PLACE] as number;
      const run = await loadRun(segment, place);
      before = queue.messages;
      // Meanwhile the run may have been moved, or trimmed away.
      if (queue.runs[SEGMENT] === segment && queue.runs[PLACE] === place) {
        if (run === undefined) throw corrupt(`a run of segment ${segment} is missing`);
        this.#cutRun(queue, run);
      }
      this.dropRuns(queue);
      taken += before - queue.messages;
    }
    this.forgetIfEmpty(queue);
    return taken;
  }

  /** A trim whose floor is on disk already. */
  async drop(name: string, floor: Offset, loadRun: LoadRun): Promise<number> {
    const queue = this.queues.get(name);
    if (queue === undefined) return 0;
    // First, so that it is not forgotten: an older floor under its name may still be on its way.
    this.markDirty(queue);
    return this.trim(name, floor, loadRun);
  }

  /** Takes out the runs that are wholly below the floor. */
  dropRuns(queue: QueueIndex): void {
    const { runs, floor } = queue;
    let at = 0;
    for (; at < runs.length && (runs[at + LAST] as number) <= floor; at += RUN) {
      this.#released(
        queue,
        runs[at + SEGMENT] as number,
        runs[at + MESSAGES] as number,
        runs[at + BYTES] as number,
      );
    }
    if (at > 0) queue.runs = runs.slice(at);
  }

  #cutRun(queue: QueueIndex, run: Run): void {
    const { runs, floor } = queue;
    const { messages, bytes, first } = remaining(run, floor);
    const goneMessages = (runs[MESSAGES] as number) - messages;
    const goneBytes = (runs[BYTES] as number) - bytes;
    runs[MESSAGES] = messages;
    runs[BYTES] = bytes;
    runs[FIRST] = first;
    // Nothing above the floor: it is dropped as a whole.
    if (messages === 0) runs[LAST] = floor;
    this.#released(queue, run.segment, goneMessages, goneBytes);
  }

  #released(queue: QueueIndex, segment: number, messages: number, bytes: number): void {
    this.markDirty(queue);
    const sealed = this.sealedById.get(segment);
    if (sealed === undefined) return;
    sealed.liveMessages -= messages;
    sealed.liveBytes -= bytes;
    this.onTrimmed(sealed);
  }

  /** The queue's floor has to be written. */
  markDirty(queue: QueueIndex): void {
    queue.trimmed = true;
    if (queue.dirty) return;
    queue.dirty = true;
    this.dirty.push(queue);
    this.onDirty();
  }

  /** Where nothing is in it, and nobody will write its floor any more. */
  forgetIfEmpty(queue: QueueIndex): void {
    if (!queue.isEmpty || queue.dirty || this.#isInTail(queue)) return;
    if (this.queues.get(queue.name) === queue) this.queues.delete(queue.name);
  }

  #isInTail({ touched }: QueueIndex): boolean {
    const oldest = this.tails[0];
    return oldest !== undefined && touched >= oldest.id;
  }

  addSealed(segment: SealedSegment): void {
    this.sealedById.set(segment.id, segment);
    this.sealed.push(segment);
    this.sealed.sort((a, b) => a.first - b.first);
  }

  removeSealed(segments: readonly SealedSegment[]): void {
    for (const { id } of segments) this.sealedById.delete(id);
    this.sealed = this.sealed.filter(({ id }) => this.sealedById.has(id));
  }
}

/** What a run holds above an offset. */
export function remaining(
  run: Run,
  floor: Offset,
): { messages: number; bytes: number; first: Offset } {
  const from = aboveInRun(run, floor);
  let bytes = 0;
  for (let i = from; i < run.sizes.length; i++) bytes += run.sizes[i] as number;
  return { messages: run.sizes.length - from, bytes, first: run.offsets[from] ?? 0 };
}
