/** One replica on one disk: what it was told to write, and what of that is on the disk. */
import type { RecoveredLog } from "../../src/core/port.ts";
import type {
  Configuration,
  HardState,
  LogIndex,
  ReplicaId,
  Role,
  SnapshotMeta,
  Term,
} from "../../src/core/types.ts";
import type { GroupStatus } from "../../src/host/port.ts";
import type { GroupId, GroupWrite } from "../../src/storage/port.ts";
import { type ShadowEntry, ShadowLog, shadowOf } from "./shadow-log.ts";

interface PendingWrite {
  readonly hardState: HardState | undefined;
  readonly entries: readonly ShadowEntry[];
  readonly snapshot: SnapshotMeta | undefined;
}

interface Saved {
  hardState: HardState;
  log: ShadowLog;
}

/** What was seen of it after the last event. */
export interface Seen {
  role: Role;
  term: Term;
  commit: LogIndex;
  applied: LogIndex;
  configuration: Configuration;
  /** Of a leader. */
  members: GroupStatus["members"];
}

export class ReplicaShadow {
  readonly group: GroupId;
  readonly id: ReplicaId;
  readonly node: string;
  /** As it was handed to the storage. */
  readonly memory: Saved;
  /** As the storage says that it is on the disk. */
  readonly durable: Saved;
  readonly #pending: PendingWrite[] = [];
  /** To whom it granted its vote in a message, per term, in all its lives. */
  readonly granted = new Map<Term, ReplicaId>();
  /** Undefined before the first event of a life. */
  seen: Seen | undefined;
  /** Whether the creation of the group is on the disk. */
  created = false;

  constructor(group: GroupId, id: ReplicaId, node: string, snapshot: SnapshotMeta) {
    this.group = group;
    this.id = id;
    this.node = node;
    const hardState: HardState = { term: 0, vote: 0, commit: 0 };
    const fresh = (): Saved => ({
      hardState,
      log: new ShadowLog(snapshot.index, snapshot.term),
    });
    this.memory = fresh();
    this.durable = fresh();
  }

  /** Of a replica of which nothing is known but what is on its disk. */
  static of(group: GroupId, id: ReplicaId, node: string, recovered: RecoveredLog): ReplicaShadow {
    const { snapshot, entries, prevTerm, hardState } = recovered;
    const shadow = new ReplicaShadow(group, id, node, snapshot);
    const first = entries[0];
    const log =
      first === undefined
        ? new ShadowLog(snapshot.index, snapshot.term)
        : new ShadowLog(first.index - 1, prevTerm, entries.map(shadowOf));
    shadow.created = true;
    shadow.restart({ hardState, log });
    return shadow;
  }

  get name(): string {
    return `${this.node} (replica ${this.id} of group ${this.group})`;
  }

  /** False if the log would have a gap. */
  write(write: GroupWrite): boolean {
    const pending: PendingWrite = {
      hardState: write.hardState,
      entries: write.entries.map(shadowOf),
      snapshot: write.snapshot,
    };
    this.#pending.push(pending);
    return apply(this.memory, pending);
  }

  /** The oldest pending write is said to be on the disk. */
  done(): void {
    const write = this.#pending.shift();
    if (write === undefined) return;
    apply(this.durable, write);
  }

  /** What a recovery found must be what was on the disk for certain, and maybe some writes more. */
  matches(recovered: RecoveredLog): Saved | undefined {
    const state: Saved = { hardState: this.durable.hardState, log: this.durable.log.copy() };
    let found = same(state, recovered) ? copy(state) : undefined;
    for (const write of this.#pending) {
      apply(state, write);
      if (same(state, recovered)) found = copy(state);
    }
    return found;
  }

  /** A new life begins with what was found. */
  restart(state: Saved): void {
    this.#pending.length = 0;
    this.seen = undefined;
    Object.assign(this.memory, copy(state));
    Object.assign(this.durable, copy(state));
  }

  describeDurable(): string {
    const { hardState, log } = this.durable;
    const terms: string[] = [];
    for (let index = log.base; index <= log.last; index++)
      terms.push(`${index}:${log.termAt(index)}`);
    const state = `term ${hardState.term} vote ${hardState.vote}`;
    return `${state} log ${terms.slice(-12).join(" ")} and ${this.#pending.length} pending writes`;
  }
}

function copy(saved: Saved): Saved {
  return { hardState: saved.hardState, log: saved.log.copy() };
}

function apply(saved: Saved, write: PendingWrite): boolean {
  if (write.snapshot !== undefined) {
    const { index, term } = write.snapshot;
    saved.log.reset(index, term);
  }
  if (write.hardState !== undefined) saved.hardState = write.hardState;
  return saved.log.append(write.entries);
}

function same(saved: Saved, { hardState, snapshot, entries, prevTerm }: RecoveredLog): boolean {
  if (hardState.term !== saved.hardState.term || hardState.vote !== saved.hardState.vote) {
    return false;
  }
  const { log } = saved;
  const last = entries.at(-1);
  if ((last?.index ?? snapshot.index) !== log.last) return false;
  if ((last?.term ?? snapshot.term) !== log.lastTerm) return false;
  const first = entries[0];
  if (first !== undefined) {
    const before = log.termAt(first.index - 1);
    if (before !== undefined && before !== prevTerm) return false;
  }
  for (const entry of entries) {
    const shadow = log.at(entry.index);
    // What a snapshot of another replica covered is known by that snapshot alone.
    if (shadow === undefined && entry.index > log.base) return false;
    if (shadow !== undefined && shadow.sum !== shadowOf(entry).sum) return false;
  }
  return true;
}
