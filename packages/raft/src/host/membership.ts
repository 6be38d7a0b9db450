/** A change of members and a transfer that somebody waits for: one of each at a time. */
import type { RaftCore, Refusal } from "../core/port.ts";
import type {
  Configuration,
  Entry,
  LogIndex,
  MemberChange,
  ReplicaId,
  Term,
} from "../core/types.ts";
import type { DiskId } from "../storage/port.ts";
import type { NodeName } from "../transport/port.ts";
import type { MembersAnswer, RequestedChange } from "./port.ts";

type Answering = (answer: MembersAnswer) => void;

interface Change {
  readonly index: LogIndex;
  readonly term: Term;
  readonly answer: Answering;
}

interface Transfer {
  readonly to: ReplicaId;
  readonly term: Term;
  readonly endsAt: number;
  readonly answer: Answering;
}

export interface MembershipParts {
  readonly core: RaftCore;
  readonly refused: (reason: Refusal, message?: string) => MembersAnswer;
  /** Undefined if the node can't be reached. */
  readonly diskOf: (node: NodeName) => Promise<DiskId | undefined>;
  /** Why nothing can be written any more. */
  readonly unavailable: () => MembersAnswer | undefined;
  /** Something was proposed. */
  readonly proposed: () => void;
}

export class Membership {
  readonly #core: RaftCore;
  readonly #parts: MembershipParts;
  /** Nodes are asked for their disks. */
  #asking = false;
  #change: Change | undefined;
  #transfer: Transfer | undefined;

  constructor(parts: MembershipParts) {
    this.#core = parts.core;
    this.#parts = parts;
  }

  get busy(): boolean {
    return this.#asking || this.#change !== undefined || this.#transfer !== undefined;
  }

  async change(requested: readonly RequestedChange[]): Promise<MembersAnswer> {
    const { refused, unavailable } = this.#parts;
    if (this.#asking || this.#change !== undefined) return refused("pendingChange");
    if (this.#core.role !== "leader") return refused("notLeader");
    const changes: MemberChange[] = [];
    this.#asking = true;
    for (const one of requested) {
      const change = "node" in one ? await this.#withDisk(one) : one;
      if (change === undefined) {
        this.#asking = false;
        return unavailable() ?? { type: "refused", message: unreachable(one) };
      }
      changes.push(change);
    }
    this.#asking = false;
    return unavailable() ?? this.#propose(changes);
  }

  async #withDisk(
    add: Extract<RequestedChange, { node: NodeName }>,
  ): Promise<MemberChange | undefined> {
    const disk = await this.#parts.diskOf(add.node);
    return disk === undefined ? undefined : { ...add, disk };
  }

  #propose(changes: readonly MemberChange[]): Promise<MembersAnswer> {
    const { refused, proposed: touch } = this.#parts;
    const proposed = this.#core.proposeConfiguration({ changes });
    if (!proposed.ok) return Promise.resolve(refused(proposed.reason, proposed.message));
    touch();
    const { index, term } = proposed;
    return new Promise((answer) => {
      this.#change = { index, term, answer };
    });
  }

  /** `endsAt`, in ticks: then it has failed. */
  transfer(to: ReplicaId, endsAt: number): Promise<MembersAnswer> {
    const { refused } = this.#parts;
    if (this.#transfer !== undefined) return Promise.resolve(refused("transferring"));
    const core = this.#core;
    if (core.role === "leader" && core.id === to) return Promise.resolve(this.#done());
    const proposed = core.transferLeadership(to);
    if (!proposed.ok) return Promise.resolve(refused(proposed.reason, proposed.message));
    return new Promise((answer) => {
      this.#transfer = { to, term: core.term, endsAt, answer };
    });
  }

  /** A joint configuration is not the end of a change: the one that leaves it is. */
  applied(entry: Entry, configuration: Configuration): void {
    const change = this.#change;
    if (change === undefined || entry.index < change.index) return;
    if (entry.index === change.index && entry.term !== change.term) {
      this.#endChange({ type: "indeterminate" });
    } else if (configuration.outgoing.length === 0) {
      this.#endChange({ type: "done", configuration });
    }
  }

  /** Looks at who leads now. */
  observe(ticks: number): void {
    const transfer = this.#transfer;
    if (transfer === undefined) return;
    const core = this.#core;
    if (core.leader === transfer.to) this.#endTransfer(this.#done());
    else if (ticks < transfer.endsAt) return;
    else if (core.role === "leader" && core.term === transfer.term) {
      this.#endTransfer({ type: "refused", message: `replica ${transfer.to} did not take over` });
    } else this.#endTransfer({ type: "indeterminate" });
  }

  leadershipEnded(): void {
    const change = this.#change;
    // Committed is committed; it is answered when it is applied.
    const kept =
      change !== undefined &&
      change.index <= this.#core.commit &&
      this.#core.termAt(change.index) === change.term &&
      this.#core.configuration.outgoing.length === 0;
    if (!kept) this.#endChange({ type: "indeterminate" });
  }

  endAll(answer: MembersAnswer): void {
    this.#endChange(answer);
    this.#endTransfer(answer);
  }

  #done(): MembersAnswer {
    return { type: "done", configuration: this.#core.configuration };
  }

  #endChange(answer: MembersAnswer): void {
    const change = this.#change;
    this.#change = undefined;
    change?.answer(answer);
  }

  #endTransfer(answer: MembersAnswer): void {
    const transfer = this.#transfer;
    this.#transfer = undefined;
    transfer?.answer(answer);
  }
}

function unreachable(change: RequestedChange): string {
  const node = "node" in change ? change.node : "";
  return `node ${node} can't be reached; it has to run before it is added`;
}

/** It may neither vote nor lead nor learn any more; ids are never given again. */
export function wasRemoved(configuration: Configuration, id: ReplicaId): boolean {
  return id <= configuration.highest && !isMember(configuration, id);
}

function isMember(
  { voters, outgoing, learners, learnersNext }: Configuration,
  id: number,
): boolean {
  return [voters, outgoing, learners, learnersNext].some((ids) => ids.includes(id));
}
