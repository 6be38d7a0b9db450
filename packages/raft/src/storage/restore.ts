/** What a start hands to the host: a group's snapshot and the log behind it. */
import { join } from "node:path";
import type { RecoveredLog } from "../core/port.ts";
import type { Entry, ReplicaId, SnapshotMeta } from "../core/types.ts";
import { missing } from "./damage.ts";
import type { GroupId, RecoveredGroup } from "./port.ts";
import { snapshotName } from "./snapshot-file.ts";
import type { GroupRow } from "./table.ts";

const NOTHING = { term: 0, vote: 0, commit: 0 } as const;

export class RestoredGroup implements RecoveredGroup {
  readonly group: GroupId;
  readonly replica: ReplicaId;
  #log: RecoveredLog | undefined;

  constructor(group: GroupId, replica: ReplicaId, log: RecoveredLog) {
    this.group = group;
    this.replica = replica;
    this.#log = log;
  }

  static empty(group: GroupId, replica: ReplicaId, snapshot: SnapshotMeta): RestoredGroup {
    const log = { hardState: NOTHING, snapshot, entries: [], prevTerm: snapshot.term };
    return new RestoredGroup(group, replica, log);
  }

  /** As it was at start. Throws after the group's first write: it is let go then. */
  get log(): RecoveredLog {
    if (this.#log === undefined) throw new Error(`the log of group ${this.group} was let go`);
    return this.#log;
  }

  letGo(): void {
    this.#log = undefined;
  }
}

/** `snapshots`: the files that there are, ascending. Throws a StorageError if the one needed is not among them. */
export function restoreGroup(
  directory: string,
  row: GroupRow,
  snapshots: readonly SnapshotMeta[],
  entries: ReadonlyMap<GroupId, readonly Entry[]>,
): RestoredGroup {
  const { group, replica, runs, hardState } = row;
  const snapshot = pickSnapshot(row, snapshots);
  if (snapshot === undefined) {
    const needed = Math.max(row.base.index, runs.prevIndex);
    const path = join(directory, snapshotName(group, needed));
    throw missing(path, `no snapshot of group ${group} that reaches its log, from ${needed} on`);
  }
  const log = {
    // The commit index is written now and then only; what is in a snapshot was committed.
    hardState: { ...hardState, commit: Math.max(hardState.commit, snapshot.index) },
    snapshot,
    entries: entries.get(group) ?? [],
    prevTerm: runs.prevTerm,
  };
  return new RestoredGroup(group, replica, log);
}

/**
 * The newest one that the log knows: one that a leader sent is not taken before the log says that it
 * was installed, for the log would not reach it.
 */
function pickSnapshot(
  { base, installed, runs }: GroupRow,
  snapshots: readonly SnapshotMeta[],
): SnapshotMeta | undefined {
  const file = snapshots.findLast(
    ({ index, term }) =>
      index === base.index ||
      (index > base.index && index >= runs.prevIndex && runs.termAt(index) === term),
  );
  if (file !== undefined && file.index >= runs.prevIndex) {
    // The log's word is the later one, where an operator has changed the configuration.
    return file.index === base.index ? base : file;
  }
  const needsFile = (installed && base.index > 0) || runs.prevIndex > base.index;
  return needsFile ? undefined : base;
}
