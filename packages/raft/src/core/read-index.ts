/** Section 6.4 of the thesis: a read is served behind what was committed when it was asked for. */
import { quorumValue } from "./quorum.ts";
import type { Configuration, LogIndex, ReplicaId } from "./types.ts";

/** Reads that wait at one replica, asked here or by followers; beyond it they are refused. */
export const MAX_READS = 65_536;

/** Who asked: this replica itself, or a follower, with its own number for it. */
export interface Asked {
  readonly from: ReplicaId;
  readonly context: number;
}

export interface Confirmed extends Asked {
  readonly index: LogIndex;
}

interface Waiting extends Confirmed {
  readonly round: number;
}

/**
 * The leader's side. Reads of one turn share a round of heartbeats; rounds are numbered by the
 * leader, so what followers call their reads can't collide, and an answer to an older round
 * confirms nothing that was asked after it.
 */
export class Reads {
  /** The newest round whose heartbeats went out. Never begins anew, also not with a new term. */
  #round = 0;
  #waiting: Waiting[] = [];
  /** Asked before an entry of the leader's term was committed. */
  #early: Asked[] = [];
  readonly #answered = new Map<ReplicaId, number>();

  get full(): boolean {
    return this.#waiting.length + this.#early.length >= MAX_READS;
  }

  /** What heartbeats carry: 0 while nothing waits. */
  get context(): number {
    return this.#waiting.length > 0 ? this.#round : 0;
  }

  /** Some read waits for a round that has not begun. */
  get pending(): boolean {
    const last = this.#waiting.at(-1);
    return last !== undefined && last.round > this.#round;
  }

  postpone(asked: Asked): void {
    this.#early.push(asked);
  }

  takeEarly(): readonly Asked[] {
    const early = this.#early;
    if (early.length > 0) this.#early = [];
    return early;
  }

  add(asked: Asked, index: LogIndex): void {
    const { from, context } = asked;
    this.#waiting.push({ from, context, index, round: this.#round + 1 });
  }

  beginRound(): void {
    this.#round++;
  }

  answered(from: ReplicaId, round: number): void {
    if (round > (this.#answered.get(from) ?? 0)) this.#answered.set(from, round);
  }

  /** Those whose round a quorum has answered; the leader itself answers at once. */
  takeConfirmed(configuration: Configuration, self: ReplicaId): readonly Confirmed[] {
    const round = quorumValue(configuration, (id) =>
      id === self ? this.#round : (this.#answered.get(id) ?? 0),
    );
    let count = 0;
    while (count < this.#waiting.length && (this.#waiting[count] as Waiting).round <= round) {
      count++;
    }
    return count === 0 ? [] : this.#waiting.splice(0, count);
  }

  /** Leadership ended: nothing of it is answered any more. */
  clear(): void {
    this.#waiting = [];
    this.#early = [];
    this.#answered.clear();
  }
}

/**
 * The follower's side. On the wire a read has a number that an earlier life of this replica did
 * not use, so that a late answer to that one can't be taken for the answer to this.
 */
export class Forwarded {
  readonly #asked = new Map<number, number>();
  #next: number;

  constructor(start: number) {
    this.#next = start;
  }

  /** Undefined if too many wait. */
  ask(context: number): number | undefined {
    if (this.#asked.size >= MAX_READS) return undefined;
    const number = this.#next++;
    this.#asked.set(number, context);
    return number;
  }

  /** Undefined if it was answered already, or is not from here. */
  take(number: number): number | undefined {
    const context = this.#asked.get(number);
    this.#asked.delete(number);
    return context;
  }

  clear(): void {
    this.#asked.clear();
  }
}
