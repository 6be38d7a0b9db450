/** Takes snapshots of one group when its log has grown, and lets go of the log that they cover. */
import type { RaftCore } from "../core/port.ts";
import type { Configuration, LogIndex, ReplicaId, SnapshotMeta } from "../core/types.ts";
import type { GroupId, SnapshotReader } from "../storage/port.ts";
import { SNAPSHOT_RETRY_PART } from "./limits.ts";
import type { ReplicatedMachine } from "./machine.ts";
import { Slices } from "./slices.ts";
import type { Surroundings } from "./surroundings.ts";

/** So many places in the log are remembered per `keepTail` bytes of it. */
const MARKS_PER_TAIL = 16;

export interface SnapshotSource {
  readonly group: GroupId;
  readonly core: RaftCore;
  readonly machine: ReplicatedMachine;
  /** False while a snapshot is installed, and when the group has ended. */
  readonly steady: () => boolean;
}

interface Mark {
  readonly index: LogIndex;
  readonly bytes: number;
}

export class Snapshotter {
  readonly #source: SnapshotSource;
  readonly #around: Surroundings;
  /** Applied here, in bytes, since the start; when the next snapshot is due. */
  #bytes = 0;
  #dueAt: number;
  #running: Promise<void> | undefined;
  #marks: Mark[];
  /** Installed since the start: a snapshot that was being taken then is of a state that is gone. */
  #installs = 0;

  constructor(source: SnapshotSource, around: Surroundings) {
    this.#source = source;
    this.#around = around;
    this.#dueAt = around.options.snapshotEvery;
    this.#marks = [{ index: source.core.applied, bytes: 0 }];
  }

  /** So many bytes more are applied. Begins a snapshot where one is due. */
  grew(bytes: number): void {
    this.#bytes += bytes;
    const { keepTail } = this.#around.options;
    const last = this.#marks.at(-1);
    // Without a tail the places of the snapshots are enough.
    const isFar = last !== undefined && this.#bytes - last.bytes >= keepTail / MARKS_PER_TAIL;
    if (last === undefined || (keepTail > 0 && isFar)) this.#mark();
    this.#forget();
    if (this.#bytes >= this.#dueAt && this.#running === undefined) void this.#begin();
  }

  /** Another one was installed: what is behind it counts. */
  installed(index: LogIndex): void {
    this.#installs++;
    this.#marks = [{ index, bytes: this.#bytes }];
    this.#dueAt = this.#bytes + this.#around.options.snapshotEvery;
  }

  /** One that is at `index` or later, taken if there is none. Throws if there can't be one now. */
  async read(index: LogIndex): Promise<SnapshotReader> {
    const { snapshots } = this.#around.options.storage;
    const { group } = this.#source;
    if (!isAt(snapshots.newest(group), index)) await (this.#running ?? this.#begin());
    // That may have been one that was begun before.
    if (!isAt(snapshots.newest(group), index)) await (this.#running ?? this.#begin());
    const newest = snapshots.newest(group);
    if (newest === undefined || !isAt(newest, index)) throw new Error("no snapshot could be taken");
    return snapshots.read(group, newest.index);
  }

  /** Settles when nothing of it runs any more. */
  async end(): Promise<void> {
    await this.#running;
  }

  #begin(): Promise<void> {
    const running = this.#around.snapshotSlots
      .run(() => this.#take())
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#running = undefined;
      });
    this.#running = running;
    return running;
  }

  async #take(): Promise<void> {
    const { group, core, machine, steady } = this.#source;
    if (!steady()) return;
    const installs = this.#installs;
    const wanted = () => steady() && this.#installs === installs;
    const index = core.applied;
    const term = core.termAt(index);
    const newest = this.#around.options.storage.snapshots.newest(group);
    if (term === undefined || index === 0 || isAt(newest, index)) return;
    const meta = { index, term, configuration: core.configuration };
    const covered = this.#bytes;
    this.#mark();
    const chunks = machine.snapshot();
    try {
      const size = await this.#write(meta, chunks, wanted);
      // A state that is larger than the interval would be written again and again.
      this.#dueAt = covered + Math.max(this.#around.options.snapshotEvery, size);
    } finally {
      machine.snapshotEnded();
    }
    if (!wanted()) return;
    core.snapshotTaken(meta);
    this.#compact(covered, index);
    await this.#around.options.storage.snapshots.prune(group, index);
  }

  async #write(
    meta: SnapshotMeta,
    chunks: IterableIterator<Uint8Array>,
    wanted: () => boolean,
  ): Promise<number> {
    const { options } = this.#around;
    const writer = await options.storage.snapshots.create(this.#source.group, meta);
    const slices = new Slices(options.clock, () => this.#around.breathe());
    let size = 0;
    try {
      for (const chunk of chunks) {
        await writer.write(chunk);
        size += chunk.length;
        await slices.did(chunk.length);
        if (!wanted()) throw new Error("given up");
      }
      await writer.finish();
    } catch (error) {
      await writer.abort();
      throw error;
    }
    return size;
  }

  /** What is more than the tail behind the place up to which `covered` bytes had been applied. */
  #compact(covered: number, snapshot: LogIndex): void {
    const { group, core } = this.#source;
    const { keepTail, storage } = this.#around.options;
    const old = this.#marks.filter((mark) => mark.bytes <= covered - keepTail);
    const index = Math.min(old.at(-1)?.index ?? 0, snapshot);
    if (index === 0) return;
    this.#marks = this.#marks.slice(old.length - 1);
    core.compact(index);
    storage.compact(group, index);
  }

  /**
   * A replica that is all of its group sends entries to nobody, so those that it has applied need not
   * be in memory too: kept until the next snapshot, they cost garbage collection more than all the
   * rest. Whoever is added later is sent a snapshot, as always, which read() takes when it is asked for.
   */
  #forget(): void {
    const { core } = this.#source;
    const { applied, firstIndex, lastIndex, configuration } = core;
    const forgotten = applied - firstIndex + 1;
    // What remains is copied, so that is to be the smaller part.
    if (forgotten <= 0 || lastIndex - applied > forgotten || !isAll(configuration, core.id)) return;
    const term = core.termAt(applied);
    if (term === undefined) return;
    core.snapshotTaken({ index: applied, term, configuration });
    core.compact(applied);
  }

  #mark(): void {
    this.#marks.push({ index: this.#source.core.applied, bytes: this.#bytes });
  }

  #failed(error: unknown): void {
    if (!this.#source.steady()) return;
    const { snapshotEvery, logger } = this.#around.options;
    this.#dueAt = this.#bytes + snapshotEvery / SNAPSHOT_RETRY_PART;
    const reason = error instanceof Error ? error.message : String(error);
    logger.warn({ group: this.#source.group, error: reason }, "no snapshot taken");
  }
}

/** The group has this voter alone, and nobody that learns. */
function isAll(
  { voters, outgoing, learners, learnersNext }: Configuration,
  id: ReplicaId,
): boolean {
  const others = outgoing.length + learners.length + learnersNext.length;
  return voters.length === 1 && voters[0] === id && others === 0;
}

function isAt(meta: SnapshotMeta | undefined, index: LogIndex): boolean {
  return meta !== undefined && meta.index >= index;
}
