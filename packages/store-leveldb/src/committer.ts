import { type Append, lastOffset, StoreError } from "@canopy/store";
import type { Database, Op } from "./database.ts";
import { encodeRecord } from "./encode.ts";
import { storeErrorOf } from "./errors.ts";
import { keyOf, pairKey } from "./keys.ts";
import type { StoredRecord } from "./record.ts";
import type { RecordCache } from "./record-cache.ts";
import { encodeDescriptor, MAX_RECORDS, TailSegment } from "./segments.ts";
import type { ShardState } from "./shard-state.ts";

/** What one record may merge: more would make readers of few messages load much. */
const RECORD_BYTES = 2 ** 20;
/** Housekeeping per commit, so that appends don't wait long behind it. */
const UPKEEP_OPS = 1000;
const UPKEEP_BYTES = 2 ** 20;

/** An append that waits for its commit. */
export interface Given {
  readonly append: Append;
  /** Found out when it was given; it fails in its turn. */
  readonly error: StoreError | undefined;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

/** A shard's line of appends. */
export interface Line {
  readonly state: ShardState;
  readonly waiting: Given[];
  /** Grows whenever appends fail. */
  failures: number;
  /** Whether an append at or below the head is a repeated one. */
  isRepeat(append: Append): Promise<boolean>;
}

interface Upkeep {
  readonly ops: readonly Op[];
  readonly bytes: number;
  readonly patient: boolean;
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

interface Commit {
  readonly line: Line;
  readonly given: Given[];
  readonly segment: TailSegment;
  readonly isNew: boolean;
  readonly record: StoredRecord;
}

/** Decides whether writing is possible, and repairs; see recovery.ts. */
export interface WriteGuard {
  /** May take its time to repair. */
  ready(): Promise<Refusal | undefined>;
  /** A write failed; settles when nothing under these keys can come back. */
  failed(error: StoreError, keys: readonly Buffer[]): Promise<void>;
}

export interface Refusal {
  readonly error: StoreError;
  /** Whether housekeeping, which may free room, can't be written either. */
  readonly everything: boolean;
}

/**
 * The only writer of the database. One write at a time, of everything that waits: one record per
 * shard, and housekeeping. While it runs the next one collects, so one fdatasync serves all.
 */
export class Committer {
  readonly #database: Database;
  readonly #cache: RecordCache;
  readonly #guard: WriteGuard;
  readonly #sync: boolean;
  readonly #segmentBytes: number;
  readonly #newSegment: () => number;
  readonly #onFull: (state: ShardState) => void;
  readonly #lines = new Set<Line>();
  readonly #upkeep: Upkeep[] = [];
  #running: Promise<void> | undefined;
  #stopped: StoreError | undefined;
  /** How many can't wait for housekeeping. */
  #hurried = 0;

  constructor(
    parts: { database: Database; cache: RecordCache; guard: WriteGuard },
    options: { sync: boolean; segmentBytes: number },
    hooks: { newSegment: () => number; onFull: (state: ShardState) => void },
  ) {
    this.#database = parts.database;
    this.#cache = parts.cache;
    this.#guard = parts.guard;
    this.#sync = options.sync;
    this.#segmentBytes = options.segmentBytes;
    this.#newSegment = hooks.newSegment;
    this.#onFull = hooks.onFull;
  }

  /** The line got an append. */
  wake(line: Line): void {
    this.#lines.add(line);
    this.#start();
  }

  /**
   * Housekeeping: atomic, after everything given before it, always synced. Unless it is impatient,
   * or somebody hurries, it waits while writing is impossible.
   */
  write(ops: readonly Op[], patient: boolean = true): Promise<void> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    return new Promise((resolve, reject) => {
      let bytes = 0;
      for (const op of ops) bytes += op.key.length + (op.type === "put" ? op.value.length : 0);
      this.#upkeep.push({ ops, bytes, patient, resolve, reject });
      this.#start();
    });
  }

  /** Settles when nothing waits or runs any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Housekeeping that waits, and later one, fails with this. */
  stop(error: StoreError): void {
    this.#stopped = error;
    for (const upkeep of this.#upkeep.splice(0)) upkeep.reject(error);
  }

  /** Until the returned function is called, housekeeping fails where it would wait. */
  hurry(): () => void {
    this.#hurried++;
    if (this.#running === undefined && this.#upkeep.length > 0) this.#start();
    return () => this.#hurried--;
  }

  /** Housekeeping that had to wait is tried again. */
  retry(): void {
    if (this.#upkeep.length > 0) this.#start();
  }

  #start(): void {
    if (this.#running !== undefined) return;
    // In a microtask, so that everything that this turn gives goes into the same write.
    this.#running = Promise.resolve()
      .then(() => this.#run())
      .then((refused) => {
        this.#running = undefined;
        if (this.#lines.size > 0 || (this.#upkeep.length > 0 && !refused)) this.#start();
      });
  }

  /** Returns whether it ended because nothing can be written now. */
  async #run(): Promise<boolean> {
    while (this.#lines.size > 0 || this.#upkeep.length > 0) {
      const refusal = await this.#guard.ready();
      if (refusal !== undefined) {
        this.#refuse(refusal);
        if (refusal.everything) return true;
      }
      await this.#commit();
    }
    return false;
  }

  #refuse({ error, everything }: Refusal): void {
    for (const line of this.#lines) failAll(line, [], error);
    this.#lines.clear();
    if (everything) this.#rejectImpatient(error);
  }

  #rejectImpatient(error: StoreError): void {
    const waiting = this.#upkeep.splice(0);
    for (const upkeep of waiting) {
      if (upkeep.patient && this.#hurried === 0) this.#upkeep.push(upkeep);
      else upkeep.reject(error);
    }
  }

  async #commit(): Promise<void> {
    const commits: Commit[] = [];
    for (const line of this.#lines) {
      const given = await take(line);
      if (given.length > 0) commits.push(this.#plan(line, given));
      else if (line.waiting.length === 0) this.#lines.delete(line);
    }
    const upkeep = this.#takeUpkeep();
    const ops = upkeep.flatMap((item) => item.ops);
    for (const commit of commits) addOps(ops, commit);
    if (ops.length === 0) return;
    try {
      await this.#database.write(ops, this.#sync || upkeep.length > 0);
    } catch (error) {
      await this.#failed(storeErrorOf(error), commits, upkeep);
      return;
    }
    for (const commit of commits) this.#apply(commit);
    for (const { given } of commits) for (const { resolve } of given) resolve();
    for (const { resolve } of upkeep) resolve();
  }

  #plan(line: Line, given: Given[]): Commit {
    const last = line.state.tails.at(-1);
    const isNew =
      last === undefined || last.bytes >= this.#segmentBytes || last.records >= MAX_RECORDS;
    const segment = isNew ? new TailSegment(this.#newSegment()) : last;
    return { line, given, segment, isNew, record: encodeRecord(given.map(({ append }) => append)) };
  }

  #takeUpkeep(): Upkeep[] {
    let ops = 0;
    let bytes = 0;
    let count = 0;
    for (const item of this.#upkeep) {
      if (count > 0 && (ops + item.ops.length > UPKEEP_OPS || bytes + item.bytes > UPKEEP_BYTES))
        break;
      ops += item.ops.length;
      bytes += item.bytes;
      count++;
    }
    return this.#upkeep.splice(0, count);
  }

  #apply({ line, given, segment, isNew, record }: Commit): void {
    const { state } = line;
    if (isNew) {
      const full = state.tails.length > 0;
      state.tails.push(segment);
      if (full) this.#onFull(state);
    }
    segment.starts.push(record.parts[0]?.first ?? segment.last + 1);
    segment.bytes += record.bytes.length;
    this.#cache.written(segment.id, segment.records - 1, record);
    for (const { append } of given) state.apply(append, segment);
  }

  async #failed(error: StoreError, commits: Commit[], upkeep: Upkeep[]): Promise<void> {
    // Housekeeping may be repeated, so it is simply kept; appends must not come back.
    this.#upkeep.unshift(...upkeep);
    await this.#guard.failed(error, commits.flatMap(keysOf));
    this.#rejectImpatient(error);
    for (const { line, given } of commits) failAll(line, given, error);
  }
}

function recordKey({ segment }: Commit): Buffer {
  return pairKey("record", segment.id, segment.records);
}

/** What a failed commit may have left. */
function keysOf(commit: Commit): Buffer[] {
  const record = recordKey(commit);
  return commit.isNew ? [record, keyOf("segment", commit.segment.id)] : [record];
}

function addOps(ops: Op[], commit: Commit): void {
  const { line, segment, isNew, record } = commit;
  if (isNew) {
    const previous = line.state.tails.at(-1);
    const value = encodeDescriptor({
      state: "open",
      shard: line.state.shard,
      previous: previous?.id ?? 0,
      previousRecords: previous?.records ?? 0,
    });
    ops.push({ type: "put", key: keyOf("segment", segment.id), value });
  }
  ops.push({ type: "put", key: recordKey(commit), value: record.bytes });
}

/** Takes from the front what may go into one record. What can't be stored fails in its turn. */
async function take(line: Line): Promise<Given[]> {
  const taken: Given[] = [];
  let { head } = line.state;
  let bytes = 0;
  for (;;) {
    const next = line.waiting[0];
    if (next === undefined) return taken;
    const { append, error } = next;
    const isNew = append.ends.length === 0 || append.first > head;
    if (error !== undefined || !isNew) {
      // Those before it must be on disk first.
      if (taken.length > 0) return taken;
      line.waiting.shift();
      if (error === undefined && (await line.isRepeat(append))) next.resolve();
      else failAll(line, [next], error ?? notAbove(append, head));
      continue;
    }
    if (taken.length > 0 && bytes + append.bodies.length > RECORD_BYTES) return taken;
    taken.push(next);
    line.waiting.shift();
    head = Math.max(head, lastOffset(append));
    bytes += append.bodies.length;
  }
}

function notAbove(append: Append, head: number): StoreError {
  return new StoreError("invalid", `offset ${append.first} is not above the head ${head}`);
}

/** Fails these and all that were given after them. */
export function failAll(line: Line, given: readonly Given[], error: StoreError): void {
  line.failures++;
  for (const { reject } of [...given, ...line.waiting.splice(0)]) reject(error);
}
