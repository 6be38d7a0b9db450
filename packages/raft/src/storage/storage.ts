/** The one implementation of RaftStorage. */
import { join } from "node:path";
import {
  assert,
  Deferred,
  type Logger,
  type Random,
  randomInt,
  silentLogger,
  systemRandom,
  systemTimers,
  type Timers,
} from "@canopy/base";
import type { LogIndex, ReplicaId, SnapshotMeta } from "../core/types.ts";
import { type Disk, nodeDisk } from "./disk.ts";
import { Mover } from "./mover.ts";
import { SegmentPool } from "./pool.ts";
import type { DiskId, Founding, GroupId, GroupWrite, RaftStorage, RecoveredGroup } from "./port.ts";
import { CLUSTER_FORMAT, noLog, type RecoveredWal, recoverWal, segmentNumbers } from "./recover.ts";
import { RestoredGroup, restoreGroup } from "./restore.ts";
import { isSameMeta, rewriteSnapshot } from "./rewrite.ts";
import { segmentName } from "./segment.ts";
import { SnapshotFolder } from "./snapshots.ts";
import { Table } from "./table.ts";
import { type Item, Wal } from "./wal.ts";

/** What a write waits for: `sync` = the disk, `os` = the operating system's memory. */
export type StorageDurability = "sync" | "os";

export interface StorageOptions {
  readonly directory: string;
  readonly disk?: Disk;
  readonly random?: Random;
  /** For trying again what failed. */
  readonly timers?: Timers;
  readonly logger?: Logger;
  readonly durability?: StorageDurability;
  /** Of a file of the log; at start one is read as a whole. */
  readonly segmentBytes?: number;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;
/** What an entry takes beside its data, about. */
const ENTRY_BYTES = 16;
const WRITE_BYTES = 32;
/** How long stop() waits for the disk. */
const STOP_MS = 10_000;

export function openStorage(options: StorageOptions): RaftStorage {
  return new Storage(options);
}

class Storage implements RaftStorage {
  readonly snapshots: SnapshotFolder;
  readonly groups: Map<GroupId, RecoveredGroup> = new Map();
  onFailing: (error: Error | undefined) => void = () => {};
  readonly #options: Required<StorageOptions>;
  readonly #pool: SegmentPool;
  #table: Table = new Table();
  #wal: Wal | undefined;
  #mover: Mover | undefined;
  #unlock: (() => void) | undefined;
  /** As it will be when everything that was given is written: the last index of each group. */
  readonly #given = new Map<GroupId, LogIndex>();
  readonly #unsettled = new Set<Deferred>();
  /** Something may not be needed any more since it was looked for last. */
  #mayRelease = true;
  #announced = 0;
  #releasing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: StorageOptions) {
    this.#options = {
      disk: nodeDisk,
      random: systemRandom,
      timers: systemTimers,
      logger: silentLogger,
      durability: "sync",
      segmentBytes: SEGMENT_BYTES,
      ...options,
    };
    this.snapshots = new SnapshotFolder(this.#options);
    this.#pool = new SegmentPool(this.#options);
  }

  get disk(): DiskId {
    return this.#table.disk;
  }

  get foundings(): ReadonlyMap<GroupId, Founding> {
    return this.#table.foundings;
  }

  get givenUp(): ReadonlyMap<GroupId, ReplicaId> {
    return this.#table.givenUp;
  }

  get failing(): Error | undefined {
    return this.#wal?.failing;
  }

  /** Throws a StorageError rather than start from what is damaged. */
  async start(): Promise<void> {
    const { disk, directory, logger } = this.#options;
    await disk.makeDirectory(directory);
    this.#unlock = disk.lock?.(directory);
    const recovered = await recoverWal(disk, directory);
    await this.snapshots.start();
    if (recovered === undefined) await this.#begin();
    else await this.#continue(recovered);
    const { length: segments } = recovered?.chain ?? [];
    logger.info({ directory, groups: this.groups.size, segments }, "raft log recovered");
  }

  /** Rejects where a disk that hangs does not let it end. The folder stays locked then: it is in use. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const waiting of this.#unsettled) waiting.reject(new Error("the storage is stopped"));
    const { directory, timers } = this.#options;
    const late = Promise.withResolvers<never>();
    const text = `${directory}: what is under way has not ended after ${STOP_MS} ms`;
    const timer = timers.set(STOP_MS, () => late.reject(new Error(text)));
    try {
      await Promise.race([this.#end(), late.promise]);
    } finally {
      timer.cancel();
    }
  }

  async #end(): Promise<void> {
    try {
      await this.#mover?.stop();
      await this.#releasing;
      await this.#wal?.stop();
    } finally {
      await this.#pool.stop();
      this.#unlock?.();
      this.#unlock = undefined;
    }
  }

  async found(group: GroupId, founding: Founding): Promise<void> {
    assert(!this.#given.has(group), `group ${group} is there already`);
    await this.#settled({ type: "founding", group, founding });
  }

  async create(group: GroupId, replica: ReplicaId, snapshot: SnapshotMeta): Promise<void> {
    assert(!this.#given.has(group), `group ${group} is there already`);
    // What an earlier life of the group left must not be taken for this one's.
    await this.snapshots.drop(group);
    assert(!this.#given.has(group), `group ${group} is there already`);
    this.#given.set(group, snapshot.index);
    await this.#settled({ type: "created", group, replica, snapshot });
    this.groups.set(group, RestoredGroup.empty(group, replica, snapshot));
  }

  async remove(group: GroupId): Promise<void> {
    assert(this.#given.delete(group), `there is no group ${group}`);
    this.groups.delete(group);
    await this.#settled({ type: "removed", group });
    await this.snapshots.drop(group);
  }

  write(write: GroupWrite, done: () => void): void {
    const { group, entries, snapshot } = write;
    let last = snapshot?.index ?? this.#given.get(group);
    assert(this.#given.has(group) && last !== undefined, `there is no group ${group}`);
    let bytes = WRITE_BYTES;
    const first = entries[0]?.index ?? last;
    assert(first <= last + 1, `entry ${first} does not follow entry ${last}`);
    for (const [i, { index, data }] of entries.entries()) {
      assert(index === first + i, `entry ${index} in the place of entry ${first + i}`);
      bytes += data.length + ENTRY_BYTES;
      last = index;
    }
    this.#given.set(group, last);
    if (snapshot !== undefined) this.#mayRelease = true;
    (this.groups.get(group) as RestoredGroup | undefined)?.letGo();
    this.#add({ record: () => ({ type: "write", write }), bytes, alone: false, done });
  }

  compact(group: GroupId, index: LogIndex): void {
    const record = () => {
      const runs = this.#table.groups.get(group)?.runs;
      const upTo = Math.min(index, runs?.last ?? 0);
      if (runs === undefined || upTo <= runs.prevIndex) return undefined;
      this.#mayRelease = true;
      return { type: "compacted", group, index: upTo, term: runs.termAt(upTo) as number } as const;
    };
    this.#add({ record, bytes: 0, alone: true, done: undefined });
  }

  /** Of a folder in which nothing is yet: it has an identity when this settles. */
  async #begin(): Promise<void> {
    const { disk, directory, random } = this.#options;
    if (this.snapshots.groups.length > 0) throw noLog(directory);
    await this.#pool.start(1, segmentNumbers(await disk.list(directory)));
    this.#table.disk = 1 + randomInt(random, 2 ** 53 - 1);
    this.#table.format = CLUSTER_FORMAT;
    this.#open();
    const failed = new Promise<never>((_, reject) => {
      this.#firstFailure = reject;
    });
    await Promise.race([this.#settled({ type: "oldest", segment: 1 }), failed]);
    this.#firstFailure = undefined;
    // With durability `os` too: a log that is lost as a whole would look like one that never began.
    await this.#wal?.sync();
  }

  #firstFailure: ((error: Error) => void) | undefined;

  async #continue(recovered: RecoveredWal): Promise<void> {
    const { disk, directory } = this.#options;
    const { table, chain, entries, nextFrame, nextSegment } = recovered;
    this.#table = table;
    for (const row of table.groups.values()) {
      const restored = restoreGroup(directory, row, this.snapshots.of(row.group), entries);
      this.groups.set(row.group, restored);
      this.#given.set(row.group, row.runs.last);
    }
    for (const group of this.snapshots.groups) {
      const newest = this.groups.get(group)?.log.snapshot.index ?? -1;
      await this.snapshots.drop(group, ({ index }) => index <= newest);
    }
    await this.#correctSnapshots();
    // What a killed process wrote may be in memory only; from here on it is acted on.
    await syncFile(disk, join(directory, segmentName(chain.at(-1)?.number as number)));
    await this.#pool.start(nextSegment, recovered.void);
    this.#open().continue(chain, nextFrame);
    this.#release(table.oldest);
  }

  /** The files are what new replicas are sent: one of before an operator's change of the voters is none for them. */
  async #correctSnapshots(): Promise<void> {
    for (const [group, { log }] of this.groups) {
      const file = this.snapshots.newest(group);
      if (file === undefined || file.index !== log.snapshot.index) continue;
      if (!isSameMeta(file, log.snapshot)) {
        await rewriteSnapshot(this.snapshots, group, log.snapshot);
      }
    }
  }

  #open(): Wal {
    const { durability } = this.#options;
    this.#wal = new Wal({
      ...this.#options,
      table: this.#table,
      pool: this.#pool,
      sync: durability === "sync",
      onWritten: (opened) => this.#written(opened),
      onFailing: (error) => {
        if (error !== undefined) this.#firstFailure?.(error);
        this.onFailing(error);
      },
    });
    this.#mover = new Mover({ ...this.#options, table: this.#table, wal: this.#wal });
    return this.#wal;
  }

  #add(item: Item): void {
    assert(this.#wal !== undefined, "the storage is not started");
    this.#wal.add(item);
  }

  async #settled(record: ReturnType<Item["record"]>): Promise<void> {
    if (this.#stopped) throw new Error("the storage is stopped");
    const settled = new Deferred();
    this.#unsettled.add(settled);
    this.#mayRelease = true;
    this.#add({ record: () => record, bytes: 0, alone: false, done: () => settled.resolve() });
    try {
      await settled.promise;
    } finally {
      this.#unsettled.delete(settled);
    }
  }

  /** `opened`: a segment was begun with this write. */
  #written(opened: boolean): void {
    const wal = this.#wal as Wal;
    if (!opened && !this.#mayRelease) return;
    this.#mayRelease = false;
    this.#mover?.consider();
    const oldest = this.#table.oldestNeeded(wal.present);
    if (oldest <= this.#announced || oldest <= (wal.segments[0] as number)) return;
    this.#announced = oldest;
    // The log says first that they are not needed: what is missing then is not missed at start.
    const record = () => ({ type: "oldest", segment: oldest }) as const;
    wal.add({ record, bytes: 0, alone: true, done: () => this.#release(oldest) });
  }

  #release(oldest: number): void {
    const wal = this.#wal as Wal;
    const release = async (): Promise<void> => {
      // With durability `os` what was written since may still be in memory only.
      await wal.sync();
      if (!this.#stopped) this.#pool.release(wal.forget(oldest));
    };
    this.#releasing = this.#releasing.then(release).catch(() => {
      // The disk fails: they stay until the next start.
    });
  }
}

async function syncFile(disk: Disk, path: string): Promise<void> {
  const file = await disk.open(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
