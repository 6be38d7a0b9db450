/**
 * A leader that hears nothing of most gateways may be the one that is cut off, so it lets another one
 * lead before it ends them. Where that one hears no more, it is passed on once to each node at most.
 */
import type { Clock, Logger } from "@canopy/base";
import type { RaftGroup, ReplicaId } from "@canopy/raft";

/** In terms of a lease: so long what was tried is not tried again. */
const PAUSE = 10;

export class Resignation {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pause: number;
  #last = Number.NEGATIVE_INFINITY;
  #underWay = false;

  constructor(clock: Clock, logger: Logger, lease: number) {
    this.#clock = clock;
    this.#logger = logger;
    this.#pause = PAUSE * lease;
  }

  /** True while the leadership is being handed over. */
  resign(group: RaftGroup): boolean {
    if (this.#underWay) return true;
    const to = successor(group);
    const now = this.#clock.now();
    if (to === undefined || now - this.#last < this.#pause) return false;
    this.#last = now;
    this.#logger.warn({ to }, "most gateways are not heard of here: another node shall lead");
    void this.#transfer(group, to);
    return true;
  }

  async #transfer(group: RaftGroup, to: ReplicaId): Promise<void> {
    this.#underWay = true;
    const answer = await group.transferLeadership(to);
    this.#underWay = false;
    // Still leading, it ends the gateways at the next look.
    if (answer.type !== "done") {
      this.#logger.warn({ to, answer: answer.type }, "the leadership was not handed over");
    }
  }
}

/** Of the other voters that answer, the one that is farthest. */
export function successor({ status }: RaftGroup): ReplicaId | undefined {
  const { voters } = status.configuration;
  const others = status.members
    .filter(({ id, active }) => active && id !== status.replica && voters.includes(id))
    .sort((a, b) => b.match - a.match);
  return others[0]?.id;
}
