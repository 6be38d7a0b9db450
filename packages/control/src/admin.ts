/** What an operator asks of the cluster, and what session nodes tell each other for the answer. */
import type { Incarnation, MemberKind, NodeStanding, ReplicaId, Version } from "./change.ts";
import type { NodeWish } from "./port.ts";

/** Asked of any session node. Fails with a ControlError whose message says what to do. */
export interface ClusterAdmin {
  /** Session nodes first, each kind in the order in which they came. */
  nodes(): Promise<readonly NodeInfo[]>;
  /** By number, from 0. */
  groups(): Promise<readonly GroupInfo[]>;
  shards(): Promise<readonly ShardInfo[]>;
  /** See Control.wish; a node that answers is not replaced. */
  wish(wish: NodeWish): Promise<Version>;
  /** Settles when the node leads the group. */
  transfer(group: number, node: string): Promise<void>;
}

/** What one session node says of itself. */
export interface NodeAdmin {
  status(): Promise<NodeStatus>;
  /** Hands over a group that it leads; `refused` where it does not, or the other one does not take it. */
  handOver(group: number, node: string): Promise<void>;
}

export interface NodeInfo {
  readonly name: string;
  readonly role: "session" | MemberKind;
  /** Of a gateway `down`: its lease has ended, and its sessions are being given up. */
  readonly state: NodeStanding | "down";
  readonly address: string;
  /** A session node now; others as far as their leases say. */
  readonly answers: boolean;
  /** Version of the software; empty where it is not known. */
  readonly software: string;
  /** 0 of a session node. */
  readonly incarnation: Incarnation;
  /** ms; undefined: it never ends, or is not known. */
  readonly leaseLeft: number | undefined;
  readonly acknowledged: Version;
  readonly replica: ReplicaId;
  /** Empty: none of its own, or not known. */
  readonly disk: string;
  readonly drained: boolean;
  /** Groups. */
  readonly leads: readonly number[];
  /** Owned ones. */
  readonly shards: number;
}

export interface GroupInfo {
  readonly group: number;
  /** Empty: none leads, or it does not answer. */
  readonly leader: string;
  readonly term: number;
  readonly commit: number;
  readonly replicas: readonly ReplicaInfo[];
  /** What its leader does about its members, or waits for; empty where all is as it should be. */
  readonly doing: string;
}

export interface ReplicaInfo {
  readonly replica: ReplicaId;
  readonly node: string;
  readonly voter: boolean;
  /** It answers the leader. */
  readonly active: boolean;
  /** The last entry that it is known to have. */
  readonly match: number;
  /** Undefined where its node does not answer. */
  readonly applied: number | undefined;
}

export interface ShardInfo {
  readonly shard: number;
  /** Name of the store process; empty: none. */
  readonly owner: string;
  readonly incarnation: Incarnation;
  readonly epoch: number;
  readonly home: string;
}

export interface NodeStatus {
  readonly name: string;
  readonly software: string;
  readonly replicas: readonly ReplicaStatus[];
  /** Of the leader of the control plane. */
  readonly leases: readonly LeaseInfo[];
}

export interface ReplicaStatus {
  readonly group: number;
  readonly replica: ReplicaId;
  readonly leads: boolean;
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  /** What of them only a leader knows is left empty elsewhere. */
  readonly replicas: readonly ReplicaInfo[];
  readonly doing: string;
}

export interface LeaseInfo {
  readonly incarnation: Incarnation;
  /** ms; undefined: it never ends. */
  readonly left: number | undefined;
  readonly acknowledged: Version;
}
