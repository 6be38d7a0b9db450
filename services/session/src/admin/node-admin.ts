/** What this node says of itself, and hands over. */
import {
  ControlError,
  type MemberStep,
  type NodeAdmin,
  type NodeStatus,
  type ReplicaInfo,
  type ReplicaStatus,
} from "@canopy/control";
import type { GroupStatus, RaftGroup } from "@canopy/raft";
import type { SessionNode } from "../node.ts";

type Part = Pick<SessionNode["groups"][number], "raft" | "leading" | "keeper">;

export class LocalAdmin implements NodeAdmin {
  readonly #name: string;
  readonly #software: string;
  readonly #node: SessionNode;

  /** `software`: its version. */
  constructor(name: string, software: string, node: SessionNode) {
    this.#name = name;
    this.#software = software;
    this.#node = node;
  }

  async status(): Promise<NodeStatus> {
    const replicas = this.#parts().flatMap((part) => {
      return part.raft === undefined ? [] : [replicaStatus(part, part.raft.status)];
    });
    const { leases } = this.#node.control;
    return { name: this.#name, software: this.#software, replicas, leases };
  }

  async handOver(group: number, node: string): Promise<void> {
    const { raft, leading } = this.#parts()[group] ?? {};
    if (raft === undefined || leading !== true) {
      throw new ControlError("unavailable", `${this.#name} does not lead group ${group}`);
    }
    const to = voterOn(raft, node);
    const answer = await raft.transferLeadership(to);
    if (answer.type === "done") return;
    const why = "message" in answer ? answer.message : answer.type;
    throw new ControlError("unavailable", `${node} did not take over group ${group}: ${why}`);
  }

  #parts(): readonly Part[] {
    return [this.#node.control, ...this.#node.groups];
  }
}

function voterOn({ id, status }: RaftGroup, node: string): number {
  const { voters, nodes } = status.configuration;
  const replica = voters.find((one) => nodes.get(one)?.name === node);
  if (replica !== undefined) return replica;
  const known = voters.map((one) => nodes.get(one)?.name ?? `replica ${one}`).join(", ");
  throw new ControlError("refused", `${node} is no voter of group ${id}; these are: ${known}`);
}

function replicaStatus({ leading: leads, keeper }: Part, status: GroupStatus): ReplicaStatus {
  const { group, replica, term, commit, applied } = status;
  const { step } = keeper ?? {};
  const doing = step === undefined ? "" : describe(step);
  const replicas = members(status, (one) => keeper?.isActive(one) ?? false);
  return { group, replica, leads, term, commit, applied, replicas, doing };
}

function members(
  { replica: self, configuration, members: seen, lastIndex, role }: GroupStatus,
  isActive: (replica: number) => boolean,
): ReplicaInfo[] {
  const { voters, outgoing, nodes } = configuration;
  const bySight = new Map(seen.map((one) => [one.id, one]));
  return [...nodes].map(([replica, { name: node }]): ReplicaInfo => {
    const voter = voters.includes(replica) || outgoing.includes(replica);
    const isSelf = replica === self && role === "leader";
    const active = isSelf || isActive(replica);
    const match = isSelf ? lastIndex : (bySight.get(replica)?.match ?? 0);
    return { replica, node, voter, active, match, applied: undefined };
  });
}

function describe(step: MemberStep): string {
  switch (step.type) {
    case "add":
      return `adding ${step.node} as replica ${step.replica}`;
    case "promote":
      return `replica ${step.replica} becomes a voter`;
    case "remove":
      return `taking out replica ${step.replica}`;
    case "transfer":
      return step.urgent
        ? `handing over to replica ${step.replica}`
        : `replica ${step.replica} should lead, and will when all has been quiet for a while`;
    case "wait":
      return step.why;
  }
}
