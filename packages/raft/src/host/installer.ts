/** Brings the state machine to a snapshot that came from a leader; nothing is applied meanwhile. */
import type { RaftCore } from "../core/port.ts";
import type { SnapshotMeta } from "../core/types.ts";
import type { GroupId } from "../storage/port.ts";
import type { Applier } from "./applier.ts";
import type { ReplicatedMachine } from "./machine.ts";
import type { Proposals } from "./proposals.ts";
import { restoreSnapshot } from "./restore.ts";
import type { Snapshotter } from "./snapshotter.ts";
import type { Surroundings } from "./surroundings.ts";

export interface Installing {
  readonly group: GroupId;
  readonly core: RaftCore;
  readonly machine: ReplicatedMachine;
  readonly applier: Applier;
  readonly proposals: Proposals;
  readonly snapshotter: Snapshotter;
  readonly running: () => boolean;
}

export class Installer {
  readonly #parts: Installing;
  readonly #around: Surroundings;
  #count = 0;
  /** One after the other: a short new one must not be overtaken by a long old one. */
  #last: Promise<void> = Promise.resolve();

  constructor(parts: Installing, around: Surroundings) {
    this.#parts = parts;
    this.#around = around;
  }

  get busy(): boolean {
    return this.#count > 0;
  }

  /** The core has taken it: what is not applied yet is in the snapshot, or comes behind it. */
  announce(): void {
    this.#count++;
    this.#parts.applier.pause();
  }

  /** It is on the disk. Rejects if the state machine can't be brought there. */
  install(meta: SnapshotMeta): Promise<void> {
    const installing = this.#last.then(() => this.#install(meta));
    this.#last = installing.catch(() => {});
    return installing;
  }

  async end(): Promise<void> {
    await this.#last;
  }

  async #install({ index }: SnapshotMeta): Promise<void> {
    const { group, core, machine, applier, proposals, snapshotter, running } = this.#parts;
    const { storage } = this.#around.options;
    if (!running()) return;
    await restoreSnapshot(this.#around, group, index, machine);
    if (!running()) return;
    this.#count--;
    machine.applied();
    core.appliedTo(index);
    proposals.skipTo(index);
    if (this.#count === 0) applier.resume(index);
    snapshotter.installed(index);
    storage.compact(group, index);
    await storage.snapshots.prune(group, index).catch(() => {
      // The next one does it.
    });
  }
}
