/**
 * A replica that is no member any more, and when it may go. The entry that removed it may be known
 * as committed here alone: then the others still need its vote, by the configuration before. So it
 * stays, and asks, until a majority of those that are left has applied that entry.
 */
import type { RaftCore } from "../core/port.ts";
import type { Message, ReplicaId } from "../core/types.ts";
import { wasRemoved } from "./membership.ts";

/** Election timeouts after which the word of one is enough: the others may be gone for good. */
const LONGEST_STAY = 100;

export class Farewell {
  readonly #electionTicks: number;
  /** In ticks; undefined as long as it is a member, as far as is known here. */
  #asksAt: number | undefined;
  #toldAt: number | undefined;
  readonly #told = new Set<ReplicaId>();

  constructor(electionTicks: number) {
    this.#electionTicks = electionTicks;
  }

  get begun(): boolean {
    return this.#asksAt !== undefined;
  }

  /** After a configuration came in force. The others have yet to hear of it, so nobody is asked at once. */
  look({ configuration, id }: RaftCore, ticks: number): void {
    if (wasRemoved(configuration, id)) this.#asksAt ??= ticks + this.#electionTicks;
  }

  /** `from` has applied the removal. */
  told(from: ReplicaId, ticks: number): void {
    this.#told.add(from);
    this.#toldAt ??= ticks;
  }

  isOver(core: RaftCore, ticks: number): boolean {
    if (this.#toldAt === undefined) return false;
    if (ticks - this.#toldAt >= LONGEST_STAY * this.#electionTicks) return true;
    const others = core.configuration.voters.filter((id) => id !== core.id);
    return others.filter((id) => this.#told.has(id)).length > others.length / 2;
  }

  /** A pre-vote that nobody can grant: who has applied the removal says so. */
  questions(core: RaftCore, ticks: number): readonly Message[] {
    if (this.#asksAt === undefined || ticks < this.#asksAt) return [];
    this.#asksAt = ticks + this.#electionTicks;
    const { id: from, term, configuration } = core;
    return configuration.voters.map((to) => {
      return { type: "preVote", from, to, term, lastIndex: 0, lastTerm: 0, force: false };
    });
  }
}
