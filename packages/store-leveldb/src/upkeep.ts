import type { Timer, Timers } from "@canopy/base";
import { StoreError } from "@canopy/store";
import type { Committer } from "./committer.ts";
import { Compactor } from "./compactor.ts";
import type { Database, Op } from "./database.ts";
import type { DiskReader } from "./disk-reader.ts";
import { encodeRecord } from "./encode.ts";
import { markTailFloors, sweepFloors, writeFloors } from "./floors.ts";
import { behind, keyOf, pairKey, prefixOf } from "./keys.ts";
import { OpBatch } from "./op-batch.ts";
import type { RecordCache } from "./record-cache.ts";
import { rewriteOnce } from "./rewrite.ts";
import { epochOp, sealOldest } from "./seal.ts";
import { type Descriptor, encodeDescriptor, type SealedSegment } from "./segments.ts";
import type { ShardState } from "./shard-state.ts";

/** Trims in sealed segments are written this long after the first one. */
const FLOORS_MS = 1000;
/** Floors written before it is worth looking for those that are not needed any more. */
const SWEEP_AFTER = 1000;

export interface UpkeepParts {
  readonly database: Database;
  readonly cache: RecordCache;
  readonly reader: DiskReader;
  readonly committer: Committer;
}

export interface UpkeepOptions {
  readonly timers: Timers;
  readonly segmentBytes: number;
  readonly newSegment: () => number;
  /** Wall clock, ms. */
  readonly wall: () => number;
  /** Monotonic, ms. */
  readonly now: () => number;
  /**
   * How long a segment of which little is needed is left alone, in ms: one whose queues are being
   * read to their end goes as a whole soon, and moving the rest would be for nothing.
   */
  readonly rewriteDelay: number;
  /** Whether the disk is nearly full: then room is given back as soon as there is some. */
  readonly isLow: () => boolean;
  /** The last one given. */
  readonly newest: () => number;
  /** Something in the background failed for good: the shard works on, but keeps what it has. */
  readonly onError: (error: StoreError) => void;
}

/** What one shard's segments need in the background. */
interface Care {
  readonly state: ShardState;
  /** Something to do, perhaps. */
  wanted: boolean;
  /** What is being done. */
  working: Promise<void> | undefined;
  /** The shard is being closed, or its upkeep has failed. */
  ended: boolean;
  timer: Timer | undefined;
  /** For segments that are left alone for a while. */
  ripeTimer: Timer | undefined;
  floorsDue: boolean;
  floorsWritten: number;
}

/** Seals, drops and rewrites segments, in the background, one shard's at a time per shard. */
export class Upkeep {
  readonly #parts: UpkeepParts;
  readonly #options: UpkeepOptions;
  readonly #cares = new Map<ShardState, Care>();
  readonly #others = new Set<Promise<void>>();
  readonly #compactor: Compactor;
  #stopped = false;

  constructor(parts: UpkeepParts, options: UpkeepOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#compactor = new Compactor({ ...parts, timers: options.timers, isLow: options.isLow });
  }

  /** Takes care of a shard that has been loaded. */
  adopt(state: ShardState): void {
    const care: Care = {
      state,
      wanted: false,
      working: undefined,
      ended: false,
      timer: undefined,
      ripeTimer: undefined,
      floorsDue: false,
      floorsWritten: SWEEP_AFTER,
    };
    this.#cares.set(state, care);
    state.onTrimmed = () => this.#want(care);
    state.onDirty = () => this.#floorsLater(care);
    this.#want(care);
  }

  /** The shard got a new segment: the one before it is to be sealed. */
  seal(state: ShardState): void {
    const care = this.#cares.get(state);
    if (care !== undefined) this.#want(care);
  }

  epochOp(shard: number, epoch: number, head: number): Op {
    return epochOp(shard, epoch, head);
  }

  #floorsLater(care: Care): void {
    care.timer ??= this.#options.timers.set(FLOORS_MS, () => {
      care.timer = undefined;
      care.floorsDue = true;
      this.#want(care);
    });
  }

  #want(care: Care): void {
    if (care.ended || this.#stopped) return;
    care.wanted = true;
    care.working ??= Promise.resolve()
      .then(() => this.#work(care))
      .catch((error: unknown) => this.#failed(care, error))
      .then(() => {
        care.working = undefined;
        if (care.wanted) this.#want(care);
      });
  }

  #failed(care: Care, error: unknown): void {
    care.wanted = false;
    const failure = error instanceof StoreError ? error : new StoreError("corrupt", String(error));
    // What was begun is repeated, or deleted at the next start; see resume().
    if (failure.code === "full" || failure.code === "unavailable") return;
    care.ended = true;
    if (failure.code !== "closed") this.#options.onError(failure);
  }

  /** Writing is possible again, or the disk has become nearly full. */
  resume(): void {
    for (const care of this.#cares.values()) this.#want(care);
  }

  async #work(care: Care): Promise<void> {
    while (care.wanted && !care.ended && !this.#stopped) {
      care.wanted = false;
      await this.#sealAll(care);
      if (care.floorsDue && !care.ended) await this.#writeFloors(care, true);
      if (!care.ended) await this.#dropEmpty(care.state);
      if (!care.ended && (await this.#rewrite(care))) care.wanted = true;
      if (!care.ended) await this.#sweep(care);
      this.#compactor.consider();
    }
  }

  async #sealAll(care: Care): Promise<void> {
    const { state } = care;
    while (state.tails.length > 1 && !care.ended) {
      const sealed = await sealOldest(state, this.#parts);
      if (sealed !== undefined && !state.sealedById.has(sealed.id)) await this.#deleteKeys(sealed);
    }
  }

  async #writeFloors(care: Care, patient: boolean): Promise<void> {
    care.floorsDue = false;
    const { committer } = this.#parts;
    care.floorsWritten += await writeFloors(care.state, committer, this.#options.newest(), patient);
  }

  async #dropEmpty(state: ShardState): Promise<void> {
    const empty = state.sealed.filter(({ liveMessages }) => liveMessages <= 0);
    if (empty.length === 0) return;
    await this.#drop(state, empty);
  }

  async #drop(state: ShardState, segments: readonly SealedSegment[]): Promise<void> {
    const ops = segments.map((segment): Op => {
      const value = encodeDescriptor({ state: "dropped", shard: state.shard });
      return { type: "put", key: keyOf("segment", segment.id), value };
    });
    await this.#parts.committer.write(ops);
    state.removeSealed(segments);
    for (const segment of segments) await this.#deleteKeys(segment);
  }

  /** Deletes what a dropped segment left; its descriptor last. */
  async #deleteKeys(
    segment: Pick<SealedSegment, "id" | "records" | "chunks" | "bytes">,
  ): Promise<void> {
    const { id, records, chunks } = segment;
    this.#parts.cache.forget(id, records);
    const ops = new OpBatch(this.#parts.committer);
    for (let number = 0; number < records; number++) {
      ops.del(pairKey("record", id, number));
      if (ops.full) await ops.flush();
    }
    for (let number = 0; number < chunks; number++) ops.del(pairKey("chunk", id, number));
    ops.del(keyOf("segment", id));
    await ops.flush();
    this.#compactor.dropped(id, segment.bytes);
  }

  #inBackground(task: Promise<unknown>): void {
    const settled = task.then(
      () => {},
      () => {},
    );
    this.#others.add(settled);
    void settled.then(() => this.#others.delete(settled));
  }

  async #rewrite(care: Care): Promise<boolean> {
    const { segmentBytes, newSegment, wall } = this.#options;
    const isRipe = (segment: SealedSegment): boolean => this.#isRipe(care, segment);
    const options = { segmentBytes, newSegment, wall, isRipe };
    const old = await rewriteOnce(care.state, this.#parts, options);
    for (const segment of old) await this.#deleteKeys(segment);
    return old.length > 0;
  }

  #isRipe(care: Care, segment: SealedSegment): boolean {
    const { now, rewriteDelay, timers, isLow } = this.#options;
    if (segment.sparseSince === 0) segment.sparseSince = now();
    const left = segment.sparseSince + rewriteDelay - now();
    if (left <= 0 || isLow()) return true;
    care.ripeTimer ??= timers.set(left, () => {
      care.ripeTimer = undefined;
      this.#want(care);
    });
    return false;
  }

  async #sweep(care: Care): Promise<void> {
    if (care.floorsWritten < SWEEP_AFTER) return;
    care.floorsWritten = 0;
    await sweepFloors(care.state, this.#parts.database, this.#parts.committer);
  }

  /** Deletes what a crash left of segments being dropped or made. */
  dropFound(segments: ReadonlyMap<number, Descriptor>): void {
    for (const [id, { state }] of segments) {
      if (state === "dropped" || state === "writing") this.#inBackground(this.#dropFound(id));
    }
  }

  async #dropFound(id: number): Promise<void> {
    const ops = new OpBatch(this.#parts.committer);
    for (const kind of ["record", "chunk"] as const) {
      const prefix = prefixOf(kind, id);
      for (const key of await this.#parts.database.keys(prefix, behind(prefix), -1)) {
        ops.del(key);
        if (ops.full) await ops.flush();
      }
    }
    ops.del(keyOf("segment", id));
    await ops.flush();
  }

  /** The shard is closed: ends its upkeep and writes what is only in memory. */
  async release(state: ShardState): Promise<void> {
    const care = this.#cares.get(state);
    if (care === undefined) return;
    care.ended = true;
    care.timer?.cancel();
    care.ripeTimer?.cancel();
    const calm = this.#parts.committer.hurry();
    await care.working;
    calm();
    markTailFloors(state);
    try {
      await this.#writeFloors(care, false);
      await this.#writeRemoved(state);
    } catch (error) {
      // Trims and removals may be lost; on a full disk they are.
      if (!(error instanceof StoreError)) throw error;
    }
    this.#cares.delete(state);
  }

  /** Progress that went with its queue is in the tail's records: one more record takes it out. */
  async #writeRemoved(state: ShardState): Promise<void> {
    const last = state.tails.at(-1);
    const removed = new Set(state.tails.flatMap((tail) => [...tail.removed]));
    if (last === undefined || removed.size === 0) return;
    const nothing = new Uint8Array(0);
    const record = encodeRecord([
      {
        first: 0,
        bodies: nothing,
        ends: [],
        expiries: [],
        postings: new Map(),
        retained: [],
        receipts: [],
        endedSessions: [],
        senders: [],
        progress: new Map(Array.from(removed, (queue) => [queue, nothing])),
      },
    ]);
    const key = pairKey("record", last.id, last.records);
    await this.#parts.committer.write([{ type: "put", key, value: record.bytes }], false);
  }

  stop(): void {
    this.#stopped = true;
    for (const care of this.#cares.values()) {
      care.timer?.cancel();
      care.ripeTimer?.cancel();
    }
  }

  /** Settles when nothing of it runs any more. */
  async idle(): Promise<void> {
    for (const { working } of this.#cares.values()) await working;
    await Promise.all(this.#others);
    await this.#compactor.stop();
  }
}
