// A replica's disk: what was written and what is still under way.
import type { Entry, HardState, Ready, RecoveredLog, SnapshotMeta } from "../../src/index.ts";

export class ReplicaDisk {
  hardState: HardState;
  /** Of the state machine. */
  snapshot: SnapshotMeta;
  /** Behind `prevIndex`. */
  entries: Entry[] = [];
  prevIndex: number;
  prevTerm: number;
  /** Given to it and not on it yet, the oldest first. */
  readonly pending: Ready[] = [];

  constructor(snapshot: SnapshotMeta) {
    this.snapshot = snapshot;
    this.prevIndex = snapshot.index;
    this.prevTerm = snapshot.term;
    this.hardState = { term: snapshot.term, vote: 0, commit: snapshot.index };
  }

  /** The oldest write under way reaches the disk. */
  complete(): Ready {
    const ready = this.pending.shift();
    if (ready === undefined) throw new Error("nothing is being written");
    if (ready.snapshot !== undefined) this.#install(ready.snapshot);
    const first = ready.entries[0];
    if (first !== undefined) {
      if (first.index > this.prevIndex + this.entries.length + 1)
        throw new Error("a gap in the log");
      this.entries.length = first.index - this.prevIndex - 1;
      this.entries.push(...ready.entries);
    }
    if (ready.hardState !== undefined) this.hardState = ready.hardState;
    return ready;
  }

  /** What a restart finds. */
  recover(): RecoveredLog {
    this.pending.length = 0;
    const { hardState, snapshot, entries, prevTerm } = this;
    return { hardState, snapshot, entries: [...entries], prevTerm };
  }

  /** A snapshot stands for all that it covers. */
  has(index: number, term: number): boolean {
    if (index <= this.snapshot.index || index < this.prevIndex) return true;
    return this.entries[index - this.prevIndex - 1]?.term === term;
  }

  compact(index: number): void {
    const gone = index - this.prevIndex;
    if (gone <= 0) return;
    this.prevTerm = this.entries[gone - 1]?.term ?? 0;
    this.entries.splice(0, gone);
    this.prevIndex = index;
  }

  #install(snapshot: SnapshotMeta): void {
    this.snapshot = snapshot;
    this.entries = [];
    this.prevIndex = snapshot.index;
    this.prevTerm = snapshot.term;
  }
}
