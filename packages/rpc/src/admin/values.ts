/** What the ports of administration say, to messages of canopy.admin.v1 and back. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  GroupInfo,
  LeaseInfo,
  NodeInfo,
  NodeStatus,
  ReplicaInfo,
  ReplicaStatus,
  ShardInfo,
} from "@canopy/control";
import {
  type GroupInfoSchema,
  type GroupInfo as GroupMessage,
  type Lease as LeaseMessage,
  type LeaseSchema,
  type NodeInfoSchema,
  type NodeInfo as NodeMessage,
  type ReplicaInfoSchema,
  type ReplicaInfo as ReplicaMessage,
  type ReplicaStatus as ReplicaStatusMessage,
  type ReplicaStatusSchema,
  Role,
  type ShardInfoSchema,
  type ShardInfo as ShardMessage,
  State,
  type StatusResponse,
  type StatusResponseSchema,
} from "../gen/canopy/admin/v1/cluster_pb.ts";
import { nameOf } from "../numbers.ts";

export const ROLES: Readonly<Record<NodeInfo["role"], Role>> = {
  session: Role.SESSION,
  gateway: Role.GATEWAY,
  store: Role.STORE,
};

const STATES: Readonly<Record<NodeInfo["state"], State>> = {
  member: State.MEMBER,
  leaving: State.LEAVING,
  awaited: State.AWAITED,
  left: State.LEFT,
  down: State.DOWN,
};

export function toNodeInfo(node: NodeInfo): MessageInitShape<typeof NodeInfoSchema> {
  const { role, state, incarnation, leaseLeft, acknowledged, replica, leads, ...same } = node;
  return {
    ...same,
    role: ROLES[role],
    state: STATES[state],
    incarnation: BigInt(incarnation),
    leaseLeft: optional(leaseLeft),
    acknowledged: BigInt(acknowledged),
    replica: BigInt(replica),
    leads: [...leads],
  };
}

export function fromNodeInfo(message: NodeMessage): NodeInfo {
  const { name, address, answers, software, disk, drained, leads, shards } = message;
  return {
    name,
    role: nameOf(ROLES, message.role, "role"),
    state: nameOf(STATES, message.state, "state of a process"),
    address,
    answers,
    software,
    incarnation: Number(message.incarnation),
    leaseLeft: fromOptional(message.leaseLeft),
    acknowledged: Number(message.acknowledged),
    replica: Number(message.replica),
    disk,
    drained,
    leads,
    shards,
  };
}

export function toGroupInfo(info: GroupInfo): MessageInitShape<typeof GroupInfoSchema> {
  const { group, leader, term, commit, replicas, doing } = info;
  const common = { term: BigInt(term), commit: BigInt(commit) };
  return { group, leader, ...common, replicas: replicas.map(toReplica), doing };
}

export function fromGroupInfo(message: GroupMessage): GroupInfo {
  const { group, leader, term, commit, replicas, doing } = message;
  const common = { term: Number(term), commit: Number(commit) };
  return { group, leader, ...common, replicas: replicas.map(fromReplica), doing };
}

export function toShardInfo(info: ShardInfo): MessageInitShape<typeof ShardInfoSchema> {
  const { shard, owner, incarnation, epoch, home } = info;
  return { shard, owner, incarnation: BigInt(incarnation), epoch: BigInt(epoch), home };
}

export function fromShardInfo(message: ShardMessage): ShardInfo {
  const { shard, owner, incarnation, epoch, home } = message;
  return { shard, owner, incarnation: Number(incarnation), epoch: Number(epoch), home };
}

export function toStatus(status: NodeStatus): MessageInitShape<typeof StatusResponseSchema> {
  const { name, software, replicas, leases } = status;
  return { name, software, replicas: replicas.map(toReplicaStatus), leases: leases.map(toLease) };
}

export function fromStatus({ name, software, replicas, leases }: StatusResponse): NodeStatus {
  return {
    name,
    software,
    replicas: replicas.map(fromReplicaStatus),
    leases: leases.map(fromLease),
  };
}

function toReplica(info: ReplicaInfo): MessageInitShape<typeof ReplicaInfoSchema> {
  const { replica, node, voter, active, match, applied } = info;
  return {
    replica: BigInt(replica),
    node,
    voter,
    active,
    match: BigInt(match),
    applied: optional(applied),
  };
}

function fromReplica(message: ReplicaMessage): ReplicaInfo {
  const { replica, node, voter, active, match, applied } = message;
  return {
    replica: Number(replica),
    node,
    voter,
    active,
    match: Number(match),
    applied: fromOptional(applied),
  };
}

function toReplicaStatus(status: ReplicaStatus): MessageInitShape<typeof ReplicaStatusSchema> {
  const { group, replica, leads, term, commit, applied, replicas, doing } = status;
  return {
    group,
    replica: BigInt(replica),
    leads,
    term: BigInt(term),
    commit: BigInt(commit),
    applied: BigInt(applied),
    replicas: replicas.map(toReplica),
    doing,
  };
}

function fromReplicaStatus(message: ReplicaStatusMessage): ReplicaStatus {
  const { group, replica, leads, term, commit, applied, replicas, doing } = message;
  return {
    group,
    replica: Number(replica),
    leads,
    term: Number(term),
    commit: Number(commit),
    applied: Number(applied),
    replicas: replicas.map(fromReplica),
    doing,
  };
}

function toLease({ incarnation, left, acknowledged }: LeaseInfo) {
  const common = { incarnation: BigInt(incarnation), acknowledged: BigInt(acknowledged) };
  return { ...common, left: optional(left) } satisfies MessageInitShape<typeof LeaseSchema>;
}

function fromLease({ incarnation, left, acknowledged }: LeaseMessage): LeaseInfo {
  const common = { incarnation: Number(incarnation), acknowledged: Number(acknowledged) };
  return { ...common, left: fromOptional(left) };
}

function optional(number: number | undefined): bigint | undefined {
  return number === undefined ? undefined : BigInt(number);
}

function fromOptional(number: bigint | undefined): number | undefined {
  return number === undefined ? undefined : Number(number);
}
