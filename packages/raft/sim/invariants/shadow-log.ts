/** A replica's log as terms and checksums. What a snapshot stands for is one entry: its last. */
import type { Entry, EntryKind, LogIndex, Term } from "../../src/core/types.ts";

export interface ShadowEntry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  /** Of kind, term and data. */
  readonly sum: number;
}

const sums = new WeakMap<Entry, ShadowEntry>();

export function shadowOf(entry: Entry): ShadowEntry {
  let shadow = sums.get(entry);
  if (shadow === undefined) {
    let sum = 0x811c9dc5 ^ entry.kind;
    for (const byte of entry.data) sum = Math.imul(sum ^ byte, 0x01000193);
    sum = Math.imul(sum ^ entry.term, 0x01000193) >>> 0;
    shadow = { index: entry.index, term: entry.term, kind: entry.kind, sum };
    sums.set(entry, shadow);
  }
  return shadow;
}

export class ShadowLog {
  /** The log begins behind this index; what was there had this term. */
  base: LogIndex;
  baseTerm: Term;
  readonly #entries: ShadowEntry[];

  constructor(base: LogIndex, baseTerm: Term, entries: readonly ShadowEntry[] = []) {
    this.base = base;
    this.baseTerm = baseTerm;
    this.#entries = [...entries];
  }

  get last(): LogIndex {
    return this.base + this.#entries.length;
  }

  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.baseTerm;
  }

  at(index: LogIndex): ShadowEntry | undefined {
    return this.#entries[index - this.base - 1];
  }

  termAt(index: LogIndex): Term | undefined {
    return index === this.base ? this.baseTerm : this.at(index)?.term;
  }

  /** The first replaces what is there from its index on. False if there would be a gap. */
  append(entries: readonly ShadowEntry[]): boolean {
    const first = entries[0];
    if (first === undefined) return true;
    if (first.index > this.last + 1 || first.index <= this.base) return false;
    this.#entries.length = first.index - this.base - 1;
    this.#entries.push(...entries);
    return true;
  }

  reset(base: LogIndex, baseTerm: Term): void {
    this.base = base;
    this.baseTerm = baseTerm;
    this.#entries.length = 0;
  }

  copy(): ShadowLog {
    return new ShadowLog(this.base, this.baseTerm, this.#entries);
  }
}
