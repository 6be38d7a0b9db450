/**
 * Recovering a group of which a majority is lost for good: on each surviving node, while it is
 * stopped, the survivors are made the only voters.
 *
 * Nothing of the log is declared committed. Configuration entries in it become empty ones, on all
 * survivors alike, so that their logs go on matching; they elect the one with the newest log.
 */
import { changeConfiguration, decodeChange } from "../core/membership.ts";
import type { RecoveredLog } from "../core/port.ts";
import {
  type Configuration,
  type Entry,
  EntryKind,
  type LogIndex,
  type Member,
  type ReplicaId,
  type SnapshotMeta,
} from "../core/types.ts";
import type { GroupId, RaftStorage } from "../storage/port.ts";
import { rewriteSnapshot } from "../storage/rewrite.ts";

/**
 * Two elect the one with the newer log, which has everything that either knows to be committed. Of
 * three, two could elect each other, and the third has applied more.
 */
export const MOST_KEPT = 2;

/** What was asked for can't be done. */
export class RecoverError extends Error {
  override readonly name = "RecoverError";
}

export interface RecoverPlan {
  readonly group: GroupId;
  readonly replica: ReplicaId;
  readonly before: Configuration;
  readonly after: Configuration;
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly commit: number;
  readonly term: number;
  readonly snapshot: SnapshotMeta;
  readonly entries: readonly Entry[];
}

/** Throws a RecoverError. */
export function planRecovery(
  storage: RaftStorage,
  group: GroupId,
  keep: readonly ReplicaId[],
): RecoverPlan {
  const recovered = storage.groups.get(group);
  if (recovered === undefined) {
    const known = [...storage.groups.keys()].join(", ") || "none";
    throw new RecoverError(`there is no group ${group} here; groups: ${known}`);
  }
  const { replica, log } = recovered;
  if (new Set(keep).size > MOST_KEPT) {
    throw new RecoverError(
      `keep one or two replicas, those with the newest logs: of ${keep.length}, a majority could go on ` +
        "without what another knows to be committed; wipe the rest, and add it under new ids",
    );
  }
  if (!keep.includes(replica)) {
    throw new RecoverError(`replica ${replica}, which is on this node, is not among those kept`);
  }
  // With what the log changes: ids that it gave away are never given again.
  const before = newestChange(log)?.configuration ?? log.snapshot.configuration;
  const nodes = new Map<ReplicaId, Member>();
  for (const id of keep) {
    const node = before.nodes.get(id);
    if (node === undefined) throw new RecoverError(`replica ${id} is not a member of the group`);
    nodes.set(id, node);
  }
  const voters = [...nodes.keys()].sort((a, b) => a - b);
  const { highest } = before;
  const none = { outgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const after = { ...none, voters, highest, nodes };
  const last = log.entries.at(-1);
  return {
    group,
    replica,
    before,
    after,
    lastIndex: Math.max(last?.index ?? 0, log.snapshot.index),
    lastTerm: Math.max(last?.term ?? 0, log.snapshot.term),
    commit: log.hardState.commit,
    term: Math.max(log.hardState.term, last?.term ?? 0) + 1,
    snapshot: { ...log.snapshot, configuration: after },
    entries: log.entries.filter(({ index }) => index > log.snapshot.index).map(withoutChange),
  };
}

/**
 * Settles when it is on the disk. A crash in between leaves the group as it was, or as it shall be.
 * Throws a RecoverError when the disk fails, which a server would wait for.
 */
export async function carryOut(storage: RaftStorage, plan: RecoverPlan): Promise<void> {
  const { group, snapshot, entries, term, commit } = plan;
  const hasFile = storage.snapshots.newest(group)?.index === snapshot.index;
  const hardState = { term, vote: 0, commit };
  await new Promise<void>((resolve, reject) => {
    storage.onFailing = (error) => {
      if (error !== undefined) reject(new RecoverError(failed(error), { cause: error }));
    };
    storage.write({ group, hardState, snapshot, entries }, resolve);
  });
  // The file is what is sent to new replicas. A start does it too, if this one is cut off here.
  if (hasFile) await rewriteSnapshot(storage.snapshots, group, snapshot);
}

function failed(error: Error): string {
  return `the log can't be written: ${error.message}; do it again when the disk is well`;
}

/** The last entry of a log that changes the configuration, and what it is then, committed or not. */
export interface NewestChange {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

/** Undefined where the snapshot's is the newest. Throws a DecodeError. */
export function newestChange({ snapshot, entries }: RecoveredLog): NewestChange | undefined {
  let newest: NewestChange | undefined;
  for (const { index, kind, data } of entries) {
    if (kind !== EntryKind.Configuration || index <= snapshot.index) continue;
    const before = newest?.configuration ?? snapshot.configuration;
    const changed = changeConfiguration(before, decodeChange(data));
    if (changed.ok) newest = { index, configuration: changed.configuration };
  }
  return newest;
}

function withoutChange(entry: Entry): Entry {
  if (entry.kind !== EntryKind.Configuration) return entry;
  return { ...entry, kind: EntryKind.Empty, data: new Uint8Array(0) };
}
