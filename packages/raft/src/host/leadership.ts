/** Who leads, as far as it was told: to those who wait here, and to the service. */
import type { RaftCore } from "../core/port.ts";
import { NONE, type ReplicaId, type Term } from "../core/types.ts";
import type { Membership } from "./membership.ts";
import type { Peers } from "./peers.ts";
import type { GroupListener } from "./port.ts";
import type { Proposals } from "./proposals.ts";
import type { Reads } from "./reads.ts";

export interface LeadershipParts {
  readonly core: RaftCore;
  readonly peers: Peers;
  readonly proposals: Proposals;
  readonly membership: Membership;
  readonly reads: Reads;
  readonly listener: GroupListener | undefined;
}

export class Leadership {
  readonly #parts: LeadershipParts;
  /** The term in which this replica leads, and that in which the service knows. */
  #leads: Term = NONE;
  #leading: Term = NONE;
  #leader: ReplicaId = NONE;
  #term: Term;

  constructor(parts: LeadershipParts) {
    this.#parts = parts;
    this.#term = parts.core.term;
  }

  /** To be called when the core may have changed its mind. */
  observe(): void {
    const { role, term } = this.#parts.core;
    const leads = role === "leader" ? term : NONE;
    if (this.#leads !== leads) {
      if (this.#leads !== NONE) this.#ended();
      this.#leads = leads;
    }
    this.#tellLeading();
    this.#tellLeader();
  }

  /** The group does not run any more. */
  end(why: string): void {
    this.#leads = NONE;
    this.#tellLeading();
    this.#parts.listener?.onEnded(why);
  }

  /** What is committed by now will be answered when it is applied. */
  #ended(): void {
    const { core, proposals, membership } = this.#parts;
    proposals.leadershipEnded((index, term) => index <= core.commit && core.termAt(index) === term);
    membership.leadershipEnded();
  }

  #tellLeading(): void {
    const { core, listener } = this.#parts;
    if (this.#leading === this.#leads) return;
    if (this.#leading !== NONE) {
      const term = this.#leading;
      this.#leading = NONE;
      listener?.onLeading(false, term);
    }
    // An entry of its own term is applied, so everything of earlier ones is.
    if (this.#leads !== NONE && core.termAt(core.applied) === core.term) {
      this.#leading = this.#leads;
      listener?.onLeading(true, core.term);
    }
  }

  #tellLeader(): void {
    const { core, listener, peers, reads } = this.#parts;
    const { leader, term } = core;
    if (leader === this.#leader && term === this.#term) return;
    const known = this.#leader;
    this.#leader = leader;
    this.#term = term;
    // The question may have gone to the one that led before.
    reads.retry();
    if (leader !== known) listener?.onLeader(leader, peers.nodeOf(leader));
  }
}

/** The voter that is farthest, of those that answer: to lead in the place of this replica. */
export function successor(core: RaftCore): ReplicaId | undefined {
  const { voters } = core.configuration;
  const others = [...core.progress()]
    .filter(([id, progress]) => voters.includes(id) && progress.recentlyActive)
    .sort(([, a], [, b]) => b.match - a.match);
  return others[0]?.[0];
}
