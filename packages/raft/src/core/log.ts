/**
 * The log in memory, from `firstIndex` on, with its marks:
 *
 *     applied ≤ handedOut ≤ min(committed, stable),  stable ≤ handed ≤ lastIndex
 *
 * handed: given to a write; stable: on the disk, in this very form.
 */
import { assert } from "@canopy/base";
import type { RecoveredLog } from "./port.ts";
import type { Entry, LogIndex, SnapshotMeta, Term } from "./types.ts";
import { EntryKind } from "./types.ts";

/** What an entry costs in memory and on the wire beside its data. */
export const ENTRY_OVERHEAD = 24;

export function entryBytes(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD;
}

export function totalBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

const NO_ENTRIES: readonly Entry[] = [];

export class Log {
  /** Index and term of the entry before the first. */
  #prevIndex: LogIndex;
  #prevTerm: Term;
  #entries: Entry[];
  #committed: LogIndex;
  #handed: LogIndex;
  #stable: LogIndex;
  /** What each write that is under way makes stable, the oldest first. */
  readonly #writing: LogIndex[] = [];
  #handedOut: LogIndex;
  #applied: LogIndex;
  #applyingBytes = 0;
  readonly #maxApplyingBytes: number;
  /** Received, and not in a write yet. */
  #unwrittenSnapshot: SnapshotMeta | undefined;
  /** Nothing is handed out until the snapshot of this index is applied. */
  #installing: LogIndex = 0;
  /** The newest that can be sent. */
  #snapshot: SnapshotMeta;

  constructor(recovered: RecoveredLog, maxApplyingBytes: number) {
    const { snapshot, hardState } = recovered;
    const last = recovered.entries.at(-1);
    // A log that ends before the snapshot has nothing that is still needed.
    const entries = last !== undefined && last.index >= snapshot.index ? recovered.entries : [];
    const first = entries[0];
    this.#prevIndex = first === undefined ? snapshot.index : first.index - 1;
    this.#prevTerm = first === undefined ? snapshot.term : recovered.prevTerm;
    this.#entries = [...entries];
    this.#snapshot = snapshot;
    this.#maxApplyingBytes = maxApplyingBytes;
    this.#applied = this.#handedOut = snapshot.index;
    this.#stable = this.#handed = this.lastIndex;
    this.#committed = Math.max(hardState.commit, snapshot.index);
    assert(this.#committed <= this.lastIndex, "the recovered log ends before its commit index");
    assert(
      snapshot.index > 0 || snapshot.configuration.highest === 0,
      "who begins with a configuration begins behind index 1",
    );
    assert(
      this.#prevIndex <= snapshot.index && this.termAt(snapshot.index) === snapshot.term,
      "the recovered log does not fit its snapshot",
    );
  }

  get firstIndex(): LogIndex {
    return this.#prevIndex + 1;
  }

  get lastIndex(): LogIndex {
    return this.#prevIndex + this.#entries.length;
  }

  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#prevTerm;
  }

  get committed(): LogIndex {
    return this.#committed;
  }

  get stable(): LogIndex {
    return this.#stable;
  }

  get applied(): LogIndex {
    return this.#applied;
  }

  get snapshot(): SnapshotMeta {
    return this.#snapshot;
  }

  /** A snapshot was received and the state machine does not have it yet. */
  get installing(): boolean {
    return this.#applied < this.#installing;
  }

  /** Undefined, which matches nothing, where the log does not reach. */
  termAt(index: LogIndex): Term | undefined {
    if (index === this.#prevIndex) return this.#prevTerm;
    return this.#entries[index - this.#prevIndex - 1]?.term;
  }

  /** Section 5.4.1: the term of the last entry decides, then the length. */
  isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
  }

  /** The last index up to `index` whose term is not above `term`, or where the log does not reach. */
  lastUpToTerm(index: LogIndex, term: Term): LogIndex {
    let at = Math.min(index, this.lastIndex);
    while (at > 0) {
      const here = this.termAt(at);
      if (here === undefined || here <= term) break;
      at--;
    }
    return at;
  }

  /** As many as fit into maxBytes, but one at least. */
  slice(from: LogIndex, maxBytes: number): readonly Entry[] {
    if (from > this.lastIndex) return NO_ENTRIES;
    return this.#range(from, this.#fit(from, this.lastIndex, maxBytes));
  }

  /** Both included; they have to be in the log. */
  between(from: LogIndex, to: LogIndex): readonly Entry[] {
    return this.#range(from, to);
  }

  hasConfiguration(from: LogIndex, to: LogIndex): boolean {
    for (let index = Math.max(from, this.firstIndex); index <= to; index++) {
      if (this.#at(index).kind === EntryKind.Configuration) return true;
    }
    return false;
  }

  /** A leader's own: goes behind the last. */
  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /**
   * Figure 2, AppendEntries 3 and 4: what is here already stays, and so does what is behind it;
   * what conflicts goes, with all that follows it.
   */
  append(entries: readonly Entry[]): void {
    let from = 0;
    while (from < entries.length) {
      const entry = entries[from] as Entry;
      if (this.termAt(entry.index) !== entry.term) break;
      from++;
    }
    const first = entries[from];
    if (first === undefined) return;
    if (first.index <= this.lastIndex) this.#truncate(first.index - 1);
    for (let i = from; i < entries.length; i++) this.#entries.push(entries[i] as Entry);
  }

  commitTo(index: LogIndex): boolean {
    if (index <= this.#committed) return false;
    assert(index <= this.lastIndex, `commit ${index} is behind the last entry ${this.lastIndex}`);
    this.#committed = index;
    return true;
  }

  /** The log starts anew behind the snapshot. */
  restore(meta: SnapshotMeta): void {
    // Up to the commit index, what is on the disk is what the snapshot stands for.
    this.#forgetWritten(this.#committed);
    this.#entries = [];
    this.#prevIndex = meta.index;
    this.#prevTerm = meta.term;
    this.#committed = this.#handed = this.#handedOut = this.#installing = meta.index;
    this.#applyingBytes = 0;
    this.#unwrittenSnapshot = this.#snapshot = meta;
  }

  snapshotTaken(meta: SnapshotMeta): void {
    if (meta.index > this.#snapshot.index) this.#snapshot = meta;
  }

  compact(index: LogIndex): void {
    assert(index <= this.#applied, `compact ${index} is beyond what is applied, ${this.#applied}`);
    assert(index <= this.#snapshot.index, `compact ${index} is beyond the newest snapshot`);
    if (index <= this.#prevIndex) return;
    const term = this.termAt(index);
    assert(term !== undefined, `compact ${index} is not in the log`);
    this.#entries = this.#entries.slice(index - this.#prevIndex);
    this.#prevIndex = index;
    this.#prevTerm = term;
  }

  get hasUnwritten(): boolean {
    return this.#handed < this.lastIndex || this.#unwrittenSnapshot !== undefined;
  }

  /** Begins a write: it holds everything that no write has held yet. */
  beginWrite(): {
    readonly entries: readonly Entry[];
    readonly snapshot: SnapshotMeta | undefined;
  } {
    const entries =
      this.#handed < this.lastIndex ? this.#range(this.#handed + 1, this.lastIndex) : NO_ENTRIES;
    const snapshot = this.#unwrittenSnapshot;
    this.#unwrittenSnapshot = undefined;
    this.#handed = this.lastIndex;
    this.#writing.push(this.#handed);
    return { entries, snapshot };
  }

  /** The oldest write under way is on the disk. */
  endWrite(): void {
    this.#stable = Math.max(this.#stable, this.#writing.shift() ?? 0);
  }

  /** The next committed entries that are on the disk here, as far as the limit lets them. */
  handOut(): readonly Entry[] {
    const end = Math.min(this.#committed, this.#stable);
    if (this.installing || this.#handedOut >= end) return NO_ENTRIES;
    const budget = this.#maxApplyingBytes - this.#applyingBytes;
    const from = this.#handedOut + 1;
    if (this.#applyingBytes > 0 && entryBytes(this.#at(from)) > budget) return NO_ENTRIES;
    const entries = this.#range(from, this.#fit(from, end, budget));
    this.#handedOut = from + entries.length - 1;
    this.#applyingBytes += totalBytes(entries);
    return entries;
  }

  appliedTo(index: LogIndex): void {
    if (index <= this.#applied) return;
    assert(index <= this.#handedOut, `applied ${index} was not handed out yet`);
    for (let at = Math.max(this.#applied + 1, this.firstIndex); at <= index; at++) {
      this.#applyingBytes -= entryBytes(this.#at(at));
    }
    this.#applied = index;
  }

  #at(index: LogIndex): Entry {
    return this.#entries[index - this.#prevIndex - 1] as Entry;
  }

  #range(from: LogIndex, to: LogIndex): readonly Entry[] {
    return this.#entries.slice(from - this.#prevIndex - 1, to - this.#prevIndex);
  }

  /** Where to stop; not before `from`. */
  #fit(from: LogIndex, end: LogIndex, maxBytes: number): LogIndex {
    let bytes = entryBytes(this.#at(from));
    let to = from;
    while (to < end) {
      bytes += entryBytes(this.#at(to + 1));
      if (bytes > maxBytes) break;
      to++;
    }
    return to;
  }

  #truncate(last: LogIndex): void {
    assert(last >= this.#committed, `entry ${last + 1} is committed and would be replaced`);
    this.#entries.length = last - this.#prevIndex;
    this.#handed = Math.min(this.#handed, last);
    this.#forgetWritten(last);
  }

  /**
   * Writes under way hold entries that are not in the log any more: when they end, nothing behind
   * `last` is stable by them, even if the very same entry came back meanwhile (A → B → A).
   */
  #forgetWritten(last: LogIndex): void {
    this.#stable = Math.min(this.#stable, last);
    for (const [i, end] of this.#writing.entries()) this.#writing[i] = Math.min(end, last);
  }
}
