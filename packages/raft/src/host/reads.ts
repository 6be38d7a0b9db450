/** Linearizable reads: those of one turn share one round of ReadIndex (thesis 6.4). */
import { type Random, randomInt } from "@canopy/base";
import type { RaftCore } from "../core/port.ts";
import type { LogIndex, ReadState } from "../core/types.ts";
import type { ReadAnswer } from "./port.ts";

interface Waiting {
  readonly answer: (answer: ReadAnswer) => void;
  readonly since: number;
}

interface Round {
  readonly context: number;
  readonly askedAt: number;
  readonly waiting: Waiting[];
}

/** A context that an earlier life of this replica used must not confirm a read of this one. */
const CONTEXTS: number = 2 ** 52;

export class Reads {
  readonly #limit: number;
  #size = 0;
  #context: number;
  #queued: Waiting[] = [];
  #round: Round | undefined;
  /** Confirmed, and not applied up to their index yet. */
  #confirmed: { readonly index: LogIndex; readonly waiting: Waiting[] }[] = [];

  constructor(limit: number, random: Random) {
    this.#limit = limit;
    this.#context = 1 + randomInt(random, CONTEXTS);
  }

  get size(): number {
    return this.#size;
  }

  /** `ticks`: now. */
  add(ticks: number): Promise<ReadAnswer> {
    if (this.#size >= this.#limit) return Promise.resolve({ type: "overloaded" });
    this.#size++;
    return new Promise((answer) => this.#queued.push({ answer, since: ticks }));
  }

  /** One round at a time: what comes during it waits for the next. */
  submit(core: RaftCore, ticks: number, noLeader: () => ReadAnswer): void {
    if (this.#queued.length === 0 || this.#round !== undefined) return;
    const waiting = this.#queued;
    this.#queued = [];
    const context = this.#context++;
    if (core.readIndex(context)) this.#round = { context, askedAt: ticks, waiting };
    else this.#end(waiting, noLeader());
  }

  confirmed(states: readonly ReadState[]): void {
    for (const { context, index } of states) {
      if (this.#round?.context !== context) continue;
      this.#confirmed.push({ index, waiting: this.#round.waiting });
      this.#round = undefined;
    }
  }

  applied(applied: LogIndex): void {
    if (this.#confirmed.length === 0) return;
    const ready = this.#confirmed.filter(({ index }) => index <= applied);
    if (ready.length === 0) return;
    this.#confirmed = this.#confirmed.filter(({ index }) => index > applied);
    for (const { waiting } of ready) this.#end(waiting, { type: "ready", index: applied });
  }

  /** True if there is a round to begin. */
  get hasQueued(): boolean {
    return this.#queued.length > 0 && this.#round === undefined;
  }

  /** The round's question or its answer may be lost; those of it ask with the next. */
  retry(): void {
    if (this.#round === undefined) return;
    this.#queued = [...this.#round.waiting, ...this.#queued];
    this.#round = undefined;
  }

  /** Whoever has asked before `since`, in ticks, and was not confirmed by any leader, waits no longer. */
  expire(since: number): void {
    const isLate = (one: Waiting): boolean => one.since < since;
    const late = [...(this.#round?.waiting ?? []), ...this.#queued].filter(isLate);
    if (late.length === 0) return;
    if (this.#round !== undefined) {
      const { waiting } = this.#round;
      this.#round = { ...this.#round, waiting: waiting.filter((one) => !isLate(one)) };
    }
    this.#queued = this.#queued.filter((one) => !isLate(one));
    this.#end(late, { type: "unavailable", message: "no leader has confirmed it" });
  }

  /** The round began so many ticks ago; 0 if there is none. */
  age(ticks: number): number {
    return this.#round === undefined ? 0 : ticks - this.#round.askedAt;
  }

  endRound(answer: ReadAnswer): void {
    const round = this.#round;
    this.#round = undefined;
    if (round !== undefined) this.#end(round.waiting, answer);
  }

  endAll(answer: ReadAnswer): void {
    this.endRound(answer);
    const waiting = [...this.#confirmed.flatMap((one) => one.waiting), ...this.#queued];
    this.#confirmed = [];
    this.#queued = [];
    this.#end(waiting, answer);
  }

  #end(waiting: readonly Waiting[], answer: ReadAnswer): void {
    this.#size -= waiting.length;
    for (const one of waiting) one.answer(answer);
  }
}
