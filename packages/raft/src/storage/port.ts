/** What a host asks of its disk: one write-ahead log for all groups, and snapshot files. */
import type { Lifecycle } from "@canopy/base";
import type { RecoveredLog } from "../core/port.ts";
import type { Entry, HardState, LogIndex, Member, ReplicaId, SnapshotMeta } from "../core/types.ts";

/** From 0; the same on all nodes of a cluster. */
export type GroupId = number;

/** One Ready's worth for one group. Read from the disk again, it is there as a whole or not at all. */
export interface GroupWrite {
  readonly group: GroupId;
  readonly hardState: HardState | undefined;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | undefined;
}

/** Identity of a data folder, drawn once when it is made: a wiped one comes back with another. */
export type DiskId = number;

export interface RecoveredGroup {
  readonly group: GroupId;
  readonly replica: ReplicaId;
  readonly log: RecoveredLog;
}

/** Of a group that is not created yet: which of its first voters this one has met, itself included. */
export interface Founding {
  readonly replica: ReplicaId;
  readonly members: ReadonlyMap<ReplicaId, Member>;
}

export interface RaftStorage extends Lifecycle {
  readonly disk: DiskId;
  /** After start(): every group that was created here and not removed. */
  readonly groups: ReadonlyMap<GroupId, RecoveredGroup>;
  readonly foundings: ReadonlyMap<GroupId, Founding>;
  /** The highest replica of each group that was given up here. Created again, it would have forgotten what it promised. */
  readonly givenUp: ReadonlyMap<GroupId, ReplicaId>;

  /** In the place of what was there; on the disk when it settles. create() ends it. */
  found(group: GroupId, founding: Founding): Promise<void>;
  /** On the disk when it settles. The snapshot is that of the state before any command, index 0 or more. */
  create(group: GroupId, replica: ReplicaId, snapshot: SnapshotMeta): Promise<void>;
  remove(group: GroupId): Promise<void>;

  /**
   * `done` is called when this and everything given before it is on the disk (in the operating
   * system's memory with durability `os`), in the order given. Never called after stop. What fails
   * is tried again until it succeeds (a full disk, an input/output error): `failing` says so
   * meanwhile.
   */
  write(write: GroupWrite, done: () => void): void;
  /** Why nothing can be written at present; undefined while all is well. */
  readonly failing: Error | undefined;
  /** Called when `failing` changes. */
  onFailing: (error: Error | undefined) => void;

  readonly snapshots: SnapshotFiles;
  /**
   * The group's log up to here is not needed any more; a snapshot at `index` or later is on the
   * disk. Segments in which no group needs anything are used again.
   */
  compact(group: GroupId, index: LogIndex): void;
}

export interface SnapshotFiles {
  /** Begins a snapshot that is taken here. It has its name, on the disk, when finish() settles. */
  create(group: GroupId, meta: SnapshotMeta): Promise<SnapshotWriter>;
  /** The newest whole one; undefined if the group still begins with nothing. */
  newest(group: GroupId): SnapshotMeta | undefined;
  /** Throws if it was replaced meanwhile and is gone. */
  read(group: GroupId, index: LogIndex): Promise<SnapshotReader>;
  /**
   * One that a leader sends, in parts, and that goes on where an interrupted one of the same index
   * and term ended: `received` says where.
   */
  receive(group: GroupId, meta: SnapshotMeta, size: number): Promise<SnapshotReceiver>;
  /** Older ones than this are removed, but for those that are being read. */
  prune(group: GroupId, index: LogIndex): Promise<void>;
}

export interface SnapshotWriter {
  write(chunk: Uint8Array): Promise<void>;
  finish(): Promise<void>;
  abort(): Promise<void>;
}

export interface SnapshotReader {
  readonly meta: SnapshotMeta;
  /** Of the file, in bytes, as it is sent to a follower. */
  readonly size: number;
  /** A part of the file; checked by the receiver. */
  part(position: number, length: number): Promise<Uint8Array>;
  /** The chunks as they were written, checked: throws a StorageError where damaged. */
  chunks(): AsyncIterableIterator<Uint8Array>;
  close(): Promise<void>;
}

export interface SnapshotReceiver {
  /** Bytes that are here already; the next part begins there. */
  readonly received: number;
  part(position: number, bytes: Uint8Array): Promise<void>;
  /** Checks the whole file; then it has its name, on the disk. Throws a StorageError and removes it if damaged. */
  finish(): Promise<void>;
  /** Keeps what came, for the next try. */
  close(): Promise<void>;
}

export interface StorageErrorDetails {
  readonly code: "damaged" | "missing" | "newer" | "locked";
  readonly file: string;
  readonly offset?: number;
  readonly cause?: unknown;
}

/** The data folder is damaged, in use, or newer than this program. The message names file, offset and what to do. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: StorageErrorDetails["code"];
  readonly file: string;
  readonly offset: number | undefined;

  constructor(message: string, details: StorageErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.file = details.file;
    this.offset = details.offset;
  }
}
