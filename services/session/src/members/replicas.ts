/** What a group's configuration says of its replicas. */
import type { Founder } from "@canopy/control";
import type { RaftGroup, ReplicaId } from "@canopy/raft";

/** As the control log shall have them. */
export function foundersOf({ status }: Pick<RaftGroup, "status">): readonly Founder[] {
  const { voters, nodes } = status.configuration;
  return voters.flatMap((replica) => {
    const { name, disk } = nodes.get(replica) ?? {};
    return name === undefined || disk === undefined ? [] : [{ name, disk, replica }];
  });
}

/** Whether a replica is no member, as far as is known here. */
export function isWithout({ status }: Pick<RaftGroup, "status">, replica: ReplicaId): boolean {
  // Before it has a configuration nothing is known; all members have a node, also in a joint one.
  const { nodes } = status.configuration;
  return nodes.size > 0 && !nodes.has(replica);
}
