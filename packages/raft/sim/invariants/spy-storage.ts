/** Stands between a host and its storage, and tells what passes. */
import type { ReplicaId, SnapshotMeta } from "../../src/core/types.ts";
import type {
  DiskId,
  Founding,
  GroupId,
  GroupWrite,
  RaftStorage,
  RecoveredGroup,
  SnapshotFiles,
} from "../../src/storage/port.ts";

export interface StorageObserver {
  onCreate(group: GroupId, replica: ReplicaId, snapshot: SnapshotMeta): void;
  onCreated(group: GroupId): void;
  onRemove(group: GroupId): void;
  /** Before the storage has it. */
  onWrite(write: GroupWrite): void;
  /** Before the host is told. */
  onDurable(write: GroupWrite): void;
  /** Before the storage has it, and when it is on the disk. */
  onFounding(group: GroupId): void;
  onSnapshot(group: GroupId, meta: SnapshotMeta, received: boolean): void;
}

export class SpyStorage implements RaftStorage {
  readonly #storage: RaftStorage;
  readonly #observer: StorageObserver;
  readonly snapshots: SnapshotFiles;

  constructor(storage: RaftStorage, observer: StorageObserver) {
    this.#storage = storage;
    this.#observer = observer;
    const { snapshots } = storage;
    this.snapshots = {
      create: (group, meta) => {
        observer.onSnapshot(group, meta, false);
        return snapshots.create(group, meta);
      },
      newest: (group) => snapshots.newest(group),
      read: (group, index) => snapshots.read(group, index),
      receive: (group, meta, size) => {
        observer.onSnapshot(group, meta, true);
        return snapshots.receive(group, meta, size);
      },
      prune: (group, index) => snapshots.prune(group, index),
    };
  }

  get disk(): DiskId {
    return this.#storage.disk;
  }

  get groups(): ReadonlyMap<GroupId, RecoveredGroup> {
    return this.#storage.groups;
  }

  get foundings(): ReadonlyMap<GroupId, Founding> {
    return this.#storage.foundings;
  }

  get givenUp(): ReadonlyMap<GroupId, ReplicaId> {
    return this.#storage.givenUp;
  }

  get failing(): Error | undefined {
    return this.#storage.failing;
  }

  get onFailing(): (error: Error | undefined) => void {
    return this.#storage.onFailing;
  }

  set onFailing(listener: (error: Error | undefined) => void) {
    this.#storage.onFailing = listener;
  }

  start(): Promise<void> {
    return this.#storage.start();
  }

  stop(): Promise<void> {
    return this.#storage.stop();
  }

  async found(group: GroupId, founding: Founding): Promise<void> {
    this.#observer.onFounding(group);
    await this.#storage.found(group, founding);
    this.#observer.onFounding(group);
  }

  async create(group: GroupId, replica: ReplicaId, snapshot: SnapshotMeta): Promise<void> {
    this.#observer.onCreate(group, replica, snapshot);
    await this.#storage.create(group, replica, snapshot);
    this.#observer.onCreated(group);
  }

  remove(group: GroupId): Promise<void> {
    this.#observer.onRemove(group);
    return this.#storage.remove(group);
  }

  write(write: GroupWrite, done: () => void): void {
    this.#observer.onWrite(write);
    this.#storage.write(write, () => {
      this.#observer.onDurable(write);
      done();
    });
  }

  compact(group: GroupId, index: number): void {
    this.#storage.compact(group, index);
  }
}
