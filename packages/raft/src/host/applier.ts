/** Applies what is committed, in slices that leave the others their turns, and answers for it. */
import { Deque } from "@canopy/base";
import type { RaftCore } from "../core/port.ts";
import { type Configuration, type Entry, EntryKind, type LogIndex } from "../core/types.ts";
import { APPLY_ENTRIES, APPLY_STRIDE } from "./limits.ts";
import type { ReplicatedMachine } from "./machine.ts";
import type { Answer } from "./port.ts";
import type { Proposals } from "./proposals.ts";

export interface Applying {
  readonly core: RaftCore;
  readonly machine: ReplicatedMachine;
  readonly proposals: Proposals;
  onConfiguration(entry: Entry, configuration: Configuration): void;
}

interface Given {
  readonly to: (answer: Answer) => void;
  answer: Answer;
}

export class Applier {
  readonly #parts: Applying;
  readonly #queue = new Deque<readonly Entry[]>();
  /** How much of the first of the queue is applied. */
  #offset = 0;
  #paused = false;

  constructor(parts: Applying) {
    this.#parts = parts;
  }

  get idle(): boolean {
    return this.#queue.size === 0 && !this.#paused;
  }

  /** There is something that can be applied now. */
  get ready(): boolean {
    return this.#queue.size > 0 && !this.#paused;
  }

  push(entries: readonly Entry[]): void {
    if (entries.length > 0) this.#queue.push(entries);
  }

  /** A snapshot takes the place of what waits; nothing is applied until resume(). */
  pause(): void {
    this.#paused = true;
  }

  /** What came before the pause and is in the snapshot is not applied any more. */
  resume(index: LogIndex): void {
    this.#paused = false;
    const left = [...this.#queue].map((entries) => entries.filter((entry) => entry.index > index));
    this.#queue.clear();
    this.#offset = 0;
    for (const entries of left) this.push(entries);
  }

  /** Returns the bytes of what it applied. Throws what the state machine throws. */
  slice(late: () => boolean): number {
    const given: Given[] = [];
    try {
      return this.#slice(late, given);
    } catch (error) {
      for (const { to } of given) to({ type: "indeterminate" });
      throw error;
    }
  }

  #slice(late: () => boolean, given: Given[]): number {
    const { core, machine } = this.#parts;
    let last = 0;
    let bytes = 0;
    for (let count = 1; ; count++) {
      const entry = this.#next();
      if (entry === undefined) break;
      this.#apply(entry, given);
      last = entry.index;
      bytes += entry.data.length;
      if (count >= APPLY_ENTRIES || (count % APPLY_STRIDE === 0 && late())) break;
    }
    if (last === 0) return 0;
    machine.applied();
    core.appliedTo(last);
    for (const { to, answer } of given) to(answer);
    return bytes;
  }

  #next(): Entry | undefined {
    const entries = this.#queue.peek();
    if (entries === undefined) return undefined;
    const entry = entries[this.#offset++];
    if (this.#offset >= entries.length) {
      this.#queue.shift();
      this.#offset = 0;
    }
    return entry;
  }

  #apply(entry: Entry, given: Given[]): void {
    const { core, machine, proposals } = this.#parts;
    const to = proposals.take(entry);
    if (entry.kind === EntryKind.Command) {
      const one: Given | undefined = to && { to, answer: { type: "indeterminate" } };
      if (one !== undefined) given.push(one);
      const answer = machine.apply(entry.data, entry.index);
      if (one !== undefined) one.answer = answer;
    } else if (entry.kind === EntryKind.Configuration) {
      this.#parts.onConfiguration(entry, core.applyConfiguration(entry));
    }
  }
}
