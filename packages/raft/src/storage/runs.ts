/** Which term the entries of a group's log have, and in which segment they are, without the entries. */
import { assert } from "@canopy/base";
import type { Entry, LogIndex, Term } from "../core/types.ts";

/** Entries from `from` on, until the next run begins. */
export interface Run {
  readonly from: LogIndex;
  readonly term: Term;
  /** Where they are; NOWHERE if that is not known yet (at start, until they were read). */
  readonly segment: number;
  /** About how many bytes they take. */
  bytes: number;
}

export const NOWHERE = 0;
/** What an entry takes beside its data, about. */
const ENTRY_BYTES = 8;

export class Runs {
  #runs: Run[] = [];
  /** Index of the entry before the first, and its term. */
  prevIndex: LogIndex;
  prevTerm: Term;
  last: LogIndex;

  constructor(prevIndex: LogIndex, prevTerm: Term, last: LogIndex = prevIndex) {
    this.prevIndex = prevIndex;
    this.prevTerm = prevTerm;
    this.last = last;
    if (last > prevIndex) {
      this.#runs.push({ from: prevIndex + 1, term: 0, segment: NOWHERE, bytes: 0 });
    }
  }

  get runs(): readonly Run[] {
    return this.#runs;
  }

  /** Undefined where the log does not reach; 0 if it is not known yet. */
  termAt(index: LogIndex): Term | undefined {
    if (index === this.prevIndex) return this.prevTerm;
    return index > this.last ? undefined : this.#at(index)?.term;
  }

  /** The segment of the entry, if the log has it. */
  segmentAt(index: LogIndex): number | undefined {
    return index > this.last ? undefined : this.#at(index)?.segment;
  }

  /** The first entry takes the place of what there is from its index on. */
  append(entries: readonly Entry[], segment: number): void {
    const from = (entries[0] as Entry).index;
    assert(from > this.prevIndex && from <= this.last + 1, `entry ${from} does not follow`);
    if (from <= this.last) this.#runs = this.#between(0, from - 1);
    this.#add(entries, segment);
    this.last = (entries.at(-1) as Entry).index;
  }

  /** Entries that the log has are in another place now. */
  move(entries: readonly Entry[], segment: number): void {
    const from = (entries[0] as Entry).index;
    const to = (entries.at(-1) as Entry).index;
    assert(from > this.prevIndex && to <= this.last, `entries ${from} to ${to} are not there`);
    const behind = this.#between(to + 1, this.last);
    this.#runs = this.#between(0, from - 1);
    this.#add(entries, segment);
    for (const { from: start, term, segment: place, bytes } of behind) {
      this.#push(start, term, place, bytes);
    }
  }

  /** Entries up to here are forgotten. */
  compact(index: LogIndex, term: Term): void {
    if (index <= this.prevIndex) return;
    this.#runs = this.#between(index + 1, this.last);
    this.prevIndex = index;
    this.prevTerm = term;
    this.last = Math.max(this.last, index);
  }

  #at(index: LogIndex): Run | undefined {
    return this.#runs.findLast(({ from }) => from <= index);
  }

  #add(entries: readonly Entry[], segment: number): void {
    for (const { index, term, data } of entries) {
      this.#push(index, term, segment, data.length + ENTRY_BYTES);
    }
  }

  #push(from: LogIndex, term: Term, segment: number, bytes: number): void {
    const before = this.#runs.at(-1);
    if (before?.term === term && before.segment === segment) before.bytes += bytes;
    else this.#runs.push({ from, term, segment, bytes });
  }

  /** What covers these indexes, cut to them; bytes in proportion. */
  #between(first: LogIndex, last: LogIndex): Run[] {
    const cut: Run[] = [];
    for (const [i, run] of this.#runs.entries()) {
      const to = (this.#runs[i + 1]?.from ?? this.last + 1) - 1;
      const [start, end] = [Math.max(run.from, first), Math.min(to, last)];
      if (start > end) continue;
      const part = (end - start + 1) / (to - run.from + 1);
      cut.push({ ...run, from: start, bytes: run.bytes * part });
    }
    return cut;
  }
}
