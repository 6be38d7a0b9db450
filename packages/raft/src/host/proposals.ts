/** Proposals of one group: those of this turn, and those in the log that wait for their commit. */
import { Deque } from "@canopy/base";
import type { RaftCore, Refusal } from "../core/port.ts";
import { type Entry, type LogIndex, NONE, type Term } from "../core/types.ts";
import type { Answer } from "./port.ts";

interface Waiting {
  readonly command: Uint8Array;
  readonly answer: (answer: Answer) => void;
  index: LogIndex;
  term: Term;
}

export interface ProposalLimits {
  readonly maxProposals: number;
  readonly maxProposalBytes: number;
}

export class Proposals {
  readonly #limits: ProposalLimits;
  #queued: Waiting[] = [];
  /** By index, which grows. */
  readonly #pending = new Deque<Waiting>();
  #bytes = 0;

  constructor(limits: ProposalLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#queued.length + this.#pending.size;
  }

  /** Waits for submit(). */
  add(command: Uint8Array): Promise<Answer> {
    // One that is larger than the bound is taken alone: it could never be else.
    const tooMany = this.size >= this.#limits.maxProposals;
    const tooMuch = this.#bytes + command.length > this.#limits.maxProposalBytes && this.size > 0;
    if (tooMany || tooMuch) return Promise.resolve({ type: "overloaded" });
    this.#bytes += command.length;
    return new Promise((answer) => {
      this.#queued.push({ command, answer, index: NONE, term: NONE });
    });
  }

  /** Everything that was added, in one piece; `refused` answers what the core does not take. */
  submit(core: RaftCore, refused: (reason: Refusal) => Answer): void {
    if (this.#queued.length === 0) return;
    const queued = this.#queued;
    this.#queued = [];
    const proposed = core.propose(queued.map((waiting) => waiting.command));
    if (!proposed.ok) {
      const answer = refused(proposed.reason);
      for (const waiting of queued) this.#end(waiting, answer);
      return;
    }
    let index = proposed.index;
    for (const waiting of queued) {
      waiting.index = index++;
      waiting.term = proposed.term;
      this.#pending.push(waiting);
    }
  }

  /** The one that waits for this entry; what it is called with is the answer. */
  take(entry: Entry): ((answer: Answer) => void) | undefined {
    for (let first = this.#pending.peek(); first; first = this.#pending.peek()) {
      if (first.index > entry.index) return undefined;
      this.#pending.shift();
      this.#bytes -= first.command.length;
      if (first.index === entry.index && first.term === entry.term) return first.answer;
      // Another leader's entry has its place.
      first.answer({ type: "indeterminate" });
    }
    return undefined;
  }

  /** Leadership of `term` has ended: what is committed by now will be answered when applied. */
  leadershipEnded(committed: (index: LogIndex, term: Term) => boolean): void {
    for (let last = this.#pending.at(this.#pending.size - 1); last; ) {
      if (committed(last.index, last.term)) return;
      this.#pending.pop();
      this.#end(last, { type: "indeterminate" });
      last = this.#pending.at(this.#pending.size - 1);
    }
  }

  /** Those up to here will not be seen one by one: a snapshot has them, or something else. */
  skipTo(index: LogIndex): void {
    for (let first = this.#pending.peek(); first && first.index <= index; ) {
      this.#pending.shift();
      this.#end(first, { type: "indeterminate" });
      first = this.#pending.peek();
    }
  }

  endAll(untaken: Answer): void {
    const queued = this.#queued;
    this.#queued = [];
    for (const waiting of queued) this.#end(waiting, untaken);
    this.endPending();
  }

  endPending(): void {
    for (let first = this.#pending.shift(); first; first = this.#pending.shift()) {
      this.#end(first, { type: "indeterminate" });
    }
  }

  #end(waiting: Waiting, answer: Answer): void {
    this.#bytes -= waiting.command.length;
    waiting.answer(answer);
  }
}
