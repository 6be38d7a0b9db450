/** What the core offers its host. The class `Core` (core.ts) is the one implementation. */
import type { Random } from "@canopy/base";
import type {
  Configuration,
  ConfigurationChange,
  Entry,
  HardState,
  LogIndex,
  Message,
  ProgressView,
  Ready,
  ReplicaId,
  Role,
  SnapshotMeta,
  Term,
} from "./types.ts";

export interface CoreOptions {
  readonly id: ReplicaId;
  /** Ticks without a leader after which an election begins: a random number from here to twice it, less one. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly random: Random;
  /** Bytes of entries in one append (one entry at least), appends in flight per follower, their bytes. */
  readonly maxAppendBytes: number;
  readonly maxInflightAppends: number;
  readonly maxInflightBytes: number;
  /** Of the leader's entries that are not committed yet; beyond it proposals are refused. */
  readonly maxUncommittedBytes: number;
  /** Of committed entries that were handed out and not reported as applied (one entry at least). */
  readonly maxApplyingBytes: number;
}

/**
 * What a restart finds on the disk. The first members of a group begin with a snapshot of index 1
 * and term 1 that holds their configuration; one that is added later with zeros and no members. So
 * it is sent a snapshot, and does not take the changes for the whole configuration.
 */
export interface RecoveredLog {
  readonly hardState: HardState;
  /** The snapshot that the state machine was restored from: applied up to its index. */
  readonly snapshot: SnapshotMeta;
  /** Behind the snapshot, or with some that it covers, kept for slow followers; without gaps. */
  readonly entries: readonly Entry[];
  /** Term of the entry before the first of `entries`. */
  readonly prevTerm: Term;
}

/** Why a proposal was not taken. Nothing of it is in the log. */
export type Refusal = "notLeader" | "overloaded" | "transferring" | "pendingChange" | "invalid";

export type Proposed =
  | { readonly ok: true; readonly index: LogIndex; readonly term: Term }
  | { readonly ok: false; readonly reason: Refusal; readonly message?: string };

export interface RaftCore {
  readonly id: ReplicaId;
  readonly role: Role;
  readonly term: Term;
  /** NONE if unknown. */
  readonly leader: ReplicaId;
  readonly configuration: Configuration;
  /** A restart finds it in force, or finds that it is to be. */
  readonly isConfigurationDurable: boolean;
  readonly hardState: HardState;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** Undefined where the log does not reach (compacted, or not there yet). */
  termAt(index: LogIndex): Term | undefined;
  /** Of a leader: every member but itself. */
  progress(): ReadonlyMap<ReplicaId, ProgressView>;

  tick(): void;
  step(message: Message): void;
  /** Begins an election as if the timeout had passed. */
  campaign(): void;
  /** In the order given, without a gap; `index` is that of the first. All or none are taken. */
  propose(commands: readonly Uint8Array[]): Proposed;
  proposeConfiguration(change: ConfigurationChange): Proposed;
  /**
   * Answered by a ReadState; never, if leadership ends before. `context` is the host's number for it.
   * `false`: no leader is known, or too many reads wait.
   */
  readIndex(context: number): boolean;
  /** Proposals are refused until the transfer ends, at the latest after an election timeout. */
  transferLeadership(to: ReplicaId): Proposed;

  /** The peer could not be reached: what is in flight to it counts as lost. */
  reportUnreachable(id: ReplicaId): void;
  reportSnapshot(id: ReplicaId, ok: boolean): void;

  /** Undefined if there is nothing to do. */
  ready(): Ready | undefined;
  /** In order; each write once. */
  written(write: number): void;
  /**
   * The state machine has everything up to here; configuration entries were given to
   * applyConfiguration. Also with the index of a Ready's snapshot, when the state machine was
   * restored from it: nothing is handed out between, and what was handed out before is void.
   */
  appliedTo(index: LogIndex): void;
  /** For each committed configuration entry, in its turn. Answers with what is in force then. */
  applyConfiguration(entry: Entry): Configuration;
  /** Entries up to here are forgotten; at most `applied`. */
  compact(index: LogIndex): void;
  /**
   * The newest snapshot that can be sent, or taken when it has to be; a follower that needs it is sent
   * this one, or one that is newer. At least as new as what was compacted.
   */
  snapshotTaken(meta: SnapshotMeta): void;
}
