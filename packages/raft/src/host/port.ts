/** What a service sees of Raft: groups that replicate commands to a state machine. */
import type { Clock, Lifecycle, Logger, Random, Timers } from "@canopy/base";
import type { CoreOptions } from "../core/port.ts";
import type { Configuration, LogIndex, ReplicaId, Role, Term } from "../core/types.ts";
import type { GroupId, RaftStorage } from "../storage/port.ts";
import type { NodeName, Transport } from "../transport/port.ts";

export interface StateMachine {
  /** Deterministic. Throws for bytes that it can't read alone: the group stops then, loudly. */
  apply(command: Uint8Array, index: LogIndex): unknown;
  /** Called after a batch of commands has been applied and before they are answered. */
  applied(): void;
  /** The state as it is now; it is read bit by bit while commands go on being applied. */
  snapshot(): IterableIterator<Uint8Array>;
  /** Starts from a snapshot instead of from what there is. */
  restore(): SnapshotSink;
}

export interface SnapshotSink {
  push(chunk: Uint8Array): void;
  /** After the last chunk; until then the state machine is as it was. */
  finish(): void;
}

/**
 * Whose proposal this is and its place in that client's sequence, from 1. Applied at most once and
 * in order: only last + 1 is taken. `client` is an incarnation, so it is never used again.
 */
export interface Origin {
  readonly client: number;
  readonly sequence: number;
}

export type Answer =
  | { readonly type: "committed"; readonly index: LogIndex; readonly result: unknown }
  /** With the same origin it was applied before; the result of then is not kept. */
  | { readonly type: "repeated" }
  /** Something of this client before it is missing: go on from `last` + 1. */
  | { readonly type: "gap"; readonly last: number }
  /** Not taken. `leader` may be tried, where known. */
  | { readonly type: "notLeader"; readonly leader: ReplicaId; readonly node: NodeName | undefined }
  /** Not taken: too much waits. */
  | { readonly type: "overloaded" }
  /** Taken, and then leadership or the host ended: it may still commit. */
  | { readonly type: "indeterminate" }
  /** Not taken: the disk fails or hangs, leadership is being transferred, or the group does not run. */
  | { readonly type: "unavailable"; readonly message: string };

export type ReadAnswer =
  /** The state machine has everything that was committed when the read was asked for. */
  | { readonly type: "ready"; readonly index: LogIndex }
  | Extract<Answer, { type: "notLeader" | "overloaded" | "unavailable" }>;

export type MembersAnswer =
  | { readonly type: "done"; readonly configuration: Configuration }
  | { readonly type: "refused"; readonly message: string }
  | Extract<Answer, { type: "notLeader" | "overloaded" | "indeterminate" | "unavailable" }>;

export interface GroupStatus {
  readonly group: GroupId;
  readonly replica: ReplicaId;
  readonly role: Role;
  readonly term: Term;
  readonly leader: ReplicaId;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly configuration: Configuration;
  readonly asleep: boolean;
  /** Of a leader: how far each other member is, and whether it answers. */
  readonly members: readonly {
    readonly id: ReplicaId;
    readonly match: LogIndex;
    readonly active: boolean;
  }[];
  /** Replicas that came back without their disk: to be removed and added under a new id. */
  readonly impostors: readonly ReplicaId[];
}

export interface GroupListener {
  /**
   * This replica leads, and its state machine has everything that earlier leaders committed; or it
   * does not lead any more. Called on changes only, in order.
   */
  onLeading(leading: boolean, term: Term): void;
  /** The leader that is known here, NONE if there is none. */
  onLeader(leader: ReplicaId, node: NodeName | undefined): void;
  /**
   * This replica does not run any more: it has failed here, was removed from its group, or was
   * closed. Called once, after everything else.
   */
  onEnded(reason: string): void;
}

/** What is asked of a leader. Where a replica is added, its node has to run: it is asked for its disk. */
export type RequestedChange =
  | {
      readonly type: "addVoter" | "addLearner";
      readonly id: ReplicaId;
      readonly node: NodeName;
    }
  | { readonly type: "promote" | "demote" | "remove"; readonly id: ReplicaId };

/** Of a group whose first members have not all met yet. */
export interface FoundingStatus {
  readonly waitsFor: readonly NodeName[];
  /** Why it can't come to an end by itself, and what to do. */
  readonly complaints: readonly string[];
}

export interface RaftGroup {
  readonly id: GroupId;
  readonly status: GroupStatus;
  propose(command: Uint8Array, origin?: Origin): Promise<Answer>;
  /** That client's incarnation has ended: its place in the table of sequences is given up. */
  endClient(client: number): Promise<Answer>;
  read(): Promise<ReadAnswer>;
  changeMembers(changes: readonly RequestedChange[]): Promise<MembersAnswer>;
  transferLeadership(to: ReplicaId): Promise<MembersAnswer>;
}

export interface GroupOptions {
  readonly group: GroupId;
  readonly machine: StateMachine;
  readonly listener?: GroupListener;
  /**
   * Used only where this node has no such group yet. Several first voters begin when all of them
   * have been up at the same time, and know each other's disks.
   */
  readonly bootstrap?: {
    readonly replica: ReplicaId;
    /** The first voters, the same on all of them; empty for a replica that a leader adds later. */
    readonly voters: ReadonlyMap<ReplicaId, NodeName>;
  };
}

type CoreLimits = Pick<
  CoreOptions,
  "maxAppendBytes" | "maxInflightAppends" | "maxInflightBytes" | "maxApplyingBytes"
>;

export interface HostOptions {
  readonly node: NodeName;
  /** Started before the host and stopped after it, by who made it. */
  readonly storage: RaftStorage;
  /** Started and stopped by the host. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** Runs fn after everything that has arrived by now was handled: setImmediate. */
  readonly defer: (fn: () => void) => void;
  /** ms; the election timeout is between electionTicks and twice as many of them. */
  readonly tick: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Proposals per group that wait for their commit, and their bytes; beyond it `overloaded`. */
  readonly maxProposals: number;
  readonly maxProposalBytes: number;
  /**
   * A snapshot is taken when a group's log has grown since the last by so many bytes, or by the size
   * of the last one that was taken since the start, if that is more: a large state would be written
   * again and again.
   */
  readonly snapshotEvery: number;
  /** Entries kept behind a snapshot for followers that are a little slow, in bytes. */
  readonly keepTail: number;
  /** Instead of those in limits.ts: a simulation wants small ones. */
  readonly limits?: Partial<CoreLimits>;
}

export interface RaftHost extends Lifecycle {
  /**
   * Between start and stop. Settles when the state machine has what this disk has of snapshots; of a
   * group that begins with several voters, when they have met. A group that was closed is opened
   * again by another host, over a storage that was started anew. Rejects with an OpenError where the
   * disk does nothing of what it is asked for three election timeouts: what it has begun may still
   * come, and until then, and while an earlier replica of the group is still being given up here, it
   * is waited for that long and no other one is opened.
   */
  open(options: GroupOptions): Promise<RaftGroup>;
  /**
   * One that is being opened, too: open() rejects then. False where a disk that hangs has not let
   * end within three election timeouts what is under way; until it has, the group can't be opened
   * again, and what was being created may still come.
   */
  close(group: GroupId): Promise<boolean>;
  /** Undefined but for a group that is being opened and waits for the other first voters. */
  founding(group: GroupId): FoundingStatus | undefined;
}
