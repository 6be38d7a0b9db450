/** What there is in the cluster, from the control log and from what session nodes say of themselves. */
import type {
  GroupInfo,
  LeaseInfo,
  NodeInfo,
  NodeStatus,
  ReplicaInfo,
  ShardInfo,
} from "./admin.ts";
import type { Member, SessionNode } from "./change.ts";
import type { ReadonlyView } from "./state.ts";

/** `statuses`: of those that answer. */
export function nodesOf(view: ReadonlyView, statuses: readonly NodeStatus[]): NodeInfo[] {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const leases = new Map(
    statuses.flatMap((status) => status.leases.map((lease) => [lease.incarnation, lease] as const)),
  );
  const shards = new Map<number, number>();
  for (const { owner } of view.places()) shards.set(owner, (shards.get(owner) ?? 0) + 1);
  return [
    ...[...view.nodeEntries()].map((node) => sessionNode(node, byName.get(node.name))),
    ...view.gateways().map((member) => memberInfo(member, leases.get(member.incarnation), 0)),
    ...[...view.down()].map(({ incarnation }) => downGateway(incarnation)),
    ...view.stores().map((member) => {
      const { incarnation } = member;
      return memberInfo(member, leases.get(incarnation), shards.get(incarnation) ?? 0);
    }),
  ];
}

/** By number; of each what its leader says, or without one what is known of its replicas. */
export function groupsOf(view: ReadonlyView, statuses: readonly NodeStatus[]): GroupInfo[] {
  return Array.from({ length: 1 + view.groups }, (_, group) => groupInfo(group, statuses));
}

export function shardsOf(view: ReadonlyView): ShardInfo[] {
  return view.places().map(({ shard, owner, epoch, home }) => {
    return { shard, owner: view.member(owner)?.name ?? "", incarnation: owner, epoch, home };
  });
}

const nothing = {
  answers: false,
  software: "",
  incarnation: 0,
  leaseLeft: undefined,
  acknowledged: 0,
  replica: 0,
  disk: "",
  drained: false,
  leads: [],
  shards: 0,
} as const;

function sessionNode(
  { name, address, standing, replica, disk, drained }: SessionNode,
  status: NodeStatus | undefined,
): NodeInfo {
  const leads = status?.replicas.filter((one) => one.leads).map(({ group }) => group) ?? [];
  const answers = status !== undefined;
  const known = { answers, software: status?.software ?? "", leads, replica, drained };
  const named = { name, role: "session", state: standing, address } as const;
  return { ...nothing, ...named, ...known, disk: disk === 0 ? "" : disk.toString(16) };
}

function memberInfo(member: Member, lease: LeaseInfo | undefined, shards: number): NodeInfo {
  const { kind, name, address, incarnation, disk } = member;
  const { left: leaseLeft, acknowledged = 0 } = lease ?? {};
  // Without a word of who gives the leases it counts as what the control log says.
  const answers = leaseLeft === undefined || leaseLeft > 0;
  const known = { incarnation, leaseLeft, acknowledged, disk, shards, answers };
  return { ...nothing, name, role: kind, state: "member", address, ...known };
}

function downGateway(incarnation: number): NodeInfo {
  return { ...nothing, name: "", role: "gateway", state: "down", address: "", incarnation };
}

function groupInfo(group: number, statuses: readonly NodeStatus[]): GroupInfo {
  const known = statuses
    .flatMap(({ name, replicas }) => replicas.map((status) => ({ name, status })))
    .filter(({ status }) => status.group === group)
    .toSorted((a, b) => b.status.term - a.status.term || b.status.commit - a.status.commit);
  const leader = known.find(({ status }) => status.leads);
  const { status } = leader ?? known[0] ?? {};
  if (status === undefined) {
    return { group, leader: "", term: 0, commit: 0, replicas: [], doing: "no node answers" };
  }
  const applied = new Map(known.map((one) => [one.status.replica, one.status.applied]));
  const replicas = status.replicas.map((one): ReplicaInfo => {
    return { ...one, applied: applied.get(one.replica) };
  });
  const doing = leader === undefined ? "no leader is known" : status.doing;
  const term = known[0]?.status.term ?? status.term;
  return { group, leader: leader?.name ?? "", term, commit: status.commit, replicas, doing };
}
