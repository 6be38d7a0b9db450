/** What is answered where the core does not take something. */
import type { RaftCore, Refusal } from "../core/port.ts";
import type { Peers } from "./peers.ts";
import type { Answer, MembersAnswer } from "./port.ts";

type NotTaken = Extract<Answer, { type: "notLeader" | "overloaded" | "unavailable" }>;

const TEXTS: Readonly<Record<Refusal, string>> = {
  notLeader: "this replica does not lead",
  overloaded: "too much waits",
  transferring: "leadership is being transferred",
  pendingChange: "another change of members is under way",
  invalid: "this can't be done",
};

export class Replies {
  readonly #core: RaftCore;
  readonly #peers: Peers;

  constructor(core: RaftCore, peers: Peers) {
    this.#core = core;
    this.#peers = peers;
  }

  notLeader(): Extract<Answer, { type: "notLeader" }> {
    const { leader } = this.#core;
    return { type: "notLeader", leader, node: this.#peers.nodeOf(leader) };
  }

  refused(reason: Refusal): NotTaken {
    if (reason === "notLeader") return this.notLeader();
    if (reason === "overloaded") return { type: "overloaded" };
    return { type: "unavailable", message: TEXTS[reason] };
  }

  refusedChange(reason: Refusal, message: string | undefined): MembersAnswer {
    if (reason === "notLeader" || reason === "overloaded") return this.refused(reason);
    return { type: "refused", message: message ?? TEXTS[reason] };
  }
}
