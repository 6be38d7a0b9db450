/** How hosts reach each other. gRPC, TCP of the benchmark, and the simulated network implement it. */
import type { Member, Message, ReplicaId, SnapshotMeta } from "../core/types.ts";
import type { DiskId, GroupId } from "../storage/port.ts";

/** A node's stable name in the cluster; finding its address is the transport's affair. */
export type NodeName = string;

export interface Envelope {
  readonly group: GroupId;
  readonly message: Message;
}

/** Everything that one node has for another in one turn of the event loop. */
export interface Batch {
  readonly from: NodeName;
  /** Of the sender's data folder. */
  readonly disk: DiskId;
  readonly envelopes: readonly Envelope[];
  /** Coalesced: one word for all groups that the sender leads and that sleep or have nothing else to say. */
  readonly beats: readonly Beat[];
  readonly hellos: readonly Hello[];
}

/** What nodes say to each other beside the messages of groups that run on both. */
export type Hello =
  /** Which disk is there? The batch of the answer says it. */
  | { readonly type: "ask" | "answer"; readonly token: number }
  /** The sender is one of the first voters, and has these of them on its disk, itself included. */
  | {
      readonly type: "founding";
      readonly group: GroupId;
      readonly from: ReplicaId;
      readonly members: ReadonlyMap<ReplicaId, Member>;
    }
  /** The answer to it of a node that has the group: whom its configuration in force names. */
  | {
      readonly type: "founded";
      readonly group: GroupId;
      readonly members: ReadonlyMap<ReplicaId, Member>;
    }
  /** The sender lives, but does not run this group: who sleeps in it must not count on it. */
  | { readonly type: "absent"; readonly group: GroupId }
  /** The sender was started a short while ago: what slept, and counted on it, must not sleep on. */
  | { readonly type: "started" };

/**
 * (0) a heartbeat and (1) its answer, in short; (2) a heartbeat that lets the follower sleep and (4)
 * the answer of one that does; (3) the receiver was removed from the group, as the sender has seen
 * applied.
 */
export interface Beat {
  readonly kind: 0 | 1 | 2 | 3 | 4;
  readonly group: GroupId;
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly term: number;
  readonly commit: number;
  readonly context: number;
}

export interface SnapshotOffer {
  readonly group: GroupId;
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly term: number;
  readonly meta: SnapshotMeta;
  /** Of the file. */
  readonly size: number;
}

/** The receiving side of one snapshot that is being sent. */
export interface SnapshotIntake {
  /** Where to go on. */
  readonly received: number;
  part(position: number, bytes: Uint8Array): Promise<void>;
  /** Whole, checked and handed to the core. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

export interface TransportHandler {
  onBatch(batch: Batch): void;
  /** The connection to a node broke, or a node can't be reached: what was sent last may be lost. */
  onUnreachable(node: NodeName): void;
  /** Rejects where it can't be taken now; the sender tries again later. */
  onSnapshot(from: NodeName, disk: DiskId, offer: SnapshotOffer): Promise<SnapshotIntake>;
}

export interface Transport {
  start(handler: TransportHandler): Promise<void>;
  stop(): Promise<void>;
  /**
   * Never blocks. Batches to one node arrive in order or not at all; `false`: too much waits for it
   * already, and this one is dropped.
   */
  send(to: NodeName, batch: Batch): boolean;
  /** Opens a stream of its own, so that a long snapshot holds up nothing else. */
  openSnapshot(to: NodeName, disk: DiskId, offer: SnapshotOffer): Promise<SnapshotIntake>;
}
