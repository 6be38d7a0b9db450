/**
 * What the log says, without the entries: where it stands for each group. The writer and the
 * recovery bring it up to date with the same function, so that they can't disagree.
 */
import { assert, unreachable } from "@canopy/base";
import type { HardState, ReplicaId, SnapshotMeta } from "../core/types.ts";
import type { DiskId, Founding, GroupId, GroupWrite } from "./port.ts";
import type { GroupState, LogRecord } from "./records.ts";
import { NOWHERE, Runs } from "./runs.ts";

const BEGINNING: HardState = { term: 0, vote: 0, commit: 0 };

export class GroupRow {
  readonly group: GroupId;
  readonly replica: ReplicaId;
  hardState: HardState = BEGINNING;
  base: SnapshotMeta;
  installed = false;
  runs: Runs;

  constructor(group: GroupId, replica: ReplicaId, base: SnapshotMeta, runs?: Runs) {
    this.group = group;
    this.replica = replica;
    this.base = base;
    this.runs = runs ?? new Runs(base.index, base.term);
  }

  static of(state: GroupState): GroupRow {
    const { group, replica, base, prevIndex, prevTerm, last } = state;
    const row = new GroupRow(group, replica, base, new Runs(prevIndex, prevTerm, last));
    row.hardState = state.hardState;
    row.installed = state.installed;
    return row;
  }

  get state(): GroupState {
    const { group, replica, hardState, base, installed } = this;
    const { prevIndex, prevTerm, last } = this.runs;
    return { group, replica, hardState, base, installed, prevIndex, prevTerm, last };
  }

  write({ hardState, snapshot, entries }: GroupWrite, segment: number): void {
    if (snapshot !== undefined) {
      // An operator's change of the configuration installs nothing: what had no file needs none.
      if (snapshot.index !== this.base.index) this.installed = true;
      this.base = snapshot;
      this.runs = new Runs(snapshot.index, snapshot.term);
    }
    if (entries.length > 0) this.runs.append(entries, segment);
    if (hardState !== undefined) this.hardState = hardState;
  }
}

export class Table {
  disk: DiskId = 0;
  format = 0;
  /** Nothing is needed of segments before this one, and the log says so. */
  oldest = 0;
  readonly groups: Map<GroupId, GroupRow> = new Map();
  readonly foundings: Map<GroupId, Founding> = new Map();
  readonly givenUp: Map<GroupId, ReplicaId> = new Map();

  /** Throws for what does not fit to what came before it. */
  apply(record: LogRecord, segment: number): void {
    switch (record.type) {
      case "identity":
        assert(this.disk === 0 || this.disk === record.disk, "the log of another disk");
        this.disk = record.disk;
        this.format = record.format;
        return;
      case "oldest":
        this.oldest = record.segment;
        return;
      case "created":
        assert(!this.groups.has(record.group), `group ${record.group} is there already`);
        this.groups.set(record.group, new GroupRow(record.group, record.replica, record.snapshot));
        this.foundings.delete(record.group);
        return;
      case "removed":
        this.#giveUp(record.group, this.groups.get(record.group)?.replica ?? 0);
        this.groups.delete(record.group);
        return;
      case "write":
        this.row(record.write.group).write(record.write, segment);
        return;
      case "founding":
        this.foundings.set(record.group, record.founding);
        return;
      case "givenUp":
        this.#giveUp(record.group, record.replica);
        return;
      case "compacted":
        this.row(record.group).runs.compact(record.index, record.term);
        return;
      case "moved":
        this.row(record.group).runs.move(record.entries, segment);
        return;
      case "state":
        this.#check(record.state);
        return;
      default:
        unreachable(record);
    }
  }

  row(group: GroupId): GroupRow {
    const row = this.groups.get(group);
    assert(row !== undefined, `there is no group ${group}`);
    return row;
  }

  /** The first segment in which something is needed; `present` if nothing is needed before that. */
  oldestNeeded(present: number): number {
    let oldest = present;
    for (const { runs } of this.groups.values()) {
      for (const { segment } of runs.runs) {
        if (segment !== NOWHERE) oldest = Math.min(oldest, segment);
      }
    }
    return oldest;
  }

  #giveUp(group: GroupId, replica: ReplicaId): void {
    this.givenUp.set(group, Math.max(replica, this.givenUp.get(group) ?? 0));
  }

  /** At the head of a segment: new to a reader that begins there, known to one that came by. */
  #check(state: GroupState): void {
    const known = this.groups.get(state.group);
    if (known === undefined) {
      this.groups.set(state.group, GroupRow.of(state));
      return;
    }
    const { replica, hardState, prevIndex, prevTerm, last } = known.state;
    const agrees =
      replica === state.replica &&
      hardState.term === state.hardState.term &&
      hardState.vote === state.hardState.vote &&
      hardState.commit === state.hardState.commit &&
      prevIndex === state.prevIndex &&
      prevTerm === state.prevTerm &&
      last === state.last;
    assert(agrees, `group ${state.group} is not as the head of the segment says`);
  }
}
