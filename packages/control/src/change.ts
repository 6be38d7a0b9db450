/**
 * What the control log says to every process of the cluster. A change has the version (the index of
 * its entry in the control group's log) at which it was committed; several may share one.
 */

/** The index of an entry of the control log; 0 before the first. */
export type Version = number;

/** One life of a gateway or store process: the version of its join. Never used again. */
export type Incarnation = number;

export type MemberKind = "gateway" | "store";

/** A process that has joined and whose end was not committed yet. */
export interface Member {
  readonly kind: MemberKind;
  readonly incarnation: Incarnation;
  /**
   * Stable over restarts. Of gateways one per name is up: who joins under the name of another one ends
   * it. A store process over a shared backend may be restarted before the lease of its earlier life ends.
   */
  readonly name: string;
  /** Where others reach it: `host:port` or `unix:path`; empty for a gateway, which is not called. */
  readonly address: string;
  /** Of a store whose shards stay with its disk: the identity of that disk; else empty. */
  readonly disk: string;
}

export interface ShardPlace {
  readonly shard: number;
  /** Incarnation of the store process that owns it; 0: nobody does. */
  readonly owner: Incarnation;
  /** Grows with every ownership; 0: it was never owned. */
  readonly epoch: number;
  /** The disk that holds its messages; empty where the backend is shared, or nothing was stored yet. */
  readonly home: string;
}

/** Who may not connect. */
export interface Ban {
  readonly kind: "client" | "user" | "address";
  readonly value: string;
  readonly reason: string;
  /** Wall clock, ms; 0: for ever. */
  readonly until: number;
}

/** Of one life of a node's replicas: the same in every group, and never given again. */
export type ReplicaId = number;

export type NodeStanding =
  /** Its replicas shall be voters of every group: those that are not yet are being made so. */
  | "member"
  /** Its replicas are being taken out of every group; then it has left. */
  | "leaving"
  /** It may come, or come back with another disk; what it had before is being taken out. */
  | "awaited"
  /** It does not come back by itself: somebody has to say that it may. */
  | "left";

/** A node that runs, ran, or shall run replicas of the control group and the session groups. */
export interface SessionNode {
  readonly name: string;
  /** Where others reach it, or did; empty before it has come. */
  readonly address: string;
  /** Identity of the data folder with its replicas; 0 while it is awaited. */
  readonly disk: number;
  /** 0 while it is awaited. */
  readonly replica: ReplicaId;
  readonly standing: NodeStanding;
  /** It shall lead no group. */
  readonly drained: boolean;
}

export type Change =
  | { readonly type: "member-up"; readonly member: Member }
  /** It has ended, or counts as ended: stores refuse its appends from here on. */
  | { readonly type: "gateway-down"; readonly incarnation: Incarnation }
  /** … and every live store process has acknowledged that: its sessions are given up. */
  | { readonly type: "gateway-gone"; readonly incarnation: Incarnation }
  /** Its shards follow, each as a change of its own: without an owner, or with the next one. */
  | { readonly type: "store-down"; readonly incarnation: Incarnation }
  | { readonly type: "shard"; readonly place: ShardPlace }
  | { readonly type: "node"; readonly node: SessionNode }
  | { readonly type: "banned"; readonly ban: Ban }
  | { readonly type: "unbanned"; readonly kind: Ban["kind"]; readonly value: string };

export interface VersionedChange {
  readonly version: Version;
  readonly change: Change;
}

/** A gateway whose end was committed, and whose sessions were not given up yet. */
export interface DownGateway {
  readonly incarnation: Incarnation;
  /** The version at which it went down. */
  readonly since: Version;
}

/** Everything that is in force, for who has nothing or was away too long. */
export interface WholeView {
  /** Of the last change. */
  readonly version: Version;
  /** Fixed when the cluster is created. */
  readonly shards: number;
  readonly groups: number;
  /** In the order in which they joined. */
  readonly members: readonly Member[];
  /** Gateways that are down and not gone yet. */
  readonly down: readonly DownGateway[];
  /** Of every shard, by number. */
  readonly places: readonly ShardPlace[];
  readonly nodes: readonly SessionNode[];
  readonly bans: readonly Ban[];
}
