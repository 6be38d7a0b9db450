/** The words of the Raft paper, as data. Terms and indexes are integers below 2^53; 0 means none. */

export type Term = number;
export type LogIndex = number;
/** One life of a replica in a group, from 1; never given twice, also not after its removal. */
export type ReplicaId = number;

export const NONE = 0;

/** What an entry is for: `Empty` is the one that a new leader begins its term with. */
export const EntryKind = { Empty: 0, Command: 1, Configuration: 2 } as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

export interface Entry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  /** Opaque for a command; a ConfigurationChange in its binary form; else empty. */
  readonly data: Uint8Array;
}

/** Figure 2, "persistent state", and the commit index, which is only a hint after a restart. */
export interface HardState {
  readonly term: Term;
  /** For whom this replica voted in `term`; NONE if it has not. */
  readonly vote: ReplicaId;
  readonly commit: LogIndex;
}

/** Section 6. Joint while `outgoing` is not empty: then majorities of both are needed. */
export interface Configuration {
  readonly voters: readonly ReplicaId[];
  readonly outgoing: readonly ReplicaId[];
  readonly learners: readonly ReplicaId[];
  /** Voters of `outgoing` that become learners when the joint configuration is left. */
  readonly learnersNext: readonly ReplicaId[];
  /** The leader proposes to leave the joint configuration as soon as it is applied. */
  readonly autoLeave: boolean;
  /** The highest id that was ever a member: new ones are above it. */
  readonly highest: ReplicaId;
  /** Where each member is; opaque to the core, carried so that hosts find and know each other. */
  readonly nodes: ReadonlyMap<ReplicaId, Member>;
}

/** A node, and the identity of the disk with which its replica became a member. */
export interface Member {
  readonly name: string;
  readonly disk: number;
}

export type MemberChange =
  | {
      readonly type: "addVoter" | "addLearner";
      readonly id: ReplicaId;
      readonly node: string;
      readonly disk: number;
    }
  /** A voter becomes a learner, or a learner a voter, keeping its node. */
  | { readonly type: "promote"; readonly id: ReplicaId }
  | { readonly type: "demote"; readonly id: ReplicaId }
  | { readonly type: "remove"; readonly id: ReplicaId };

/**
 * One change of voters goes the simple way (thesis 4.1), several the joint one (section 6).
 * Without changes it leaves a joint configuration.
 */
export interface ConfigurationChange {
  readonly changes: readonly MemberChange[];
}

/** What a snapshot stands for: the state after the entry `index`. Its bytes are the host's affair. */
export interface SnapshotMeta {
  readonly index: LogIndex;
  readonly term: Term;
  readonly configuration: Configuration;
}

interface Addressed {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  /** Of the sender; in a pre-vote, the term that it would campaign in. */
  readonly term: Term;
}

export type Message =
  | VoteRequest
  | VoteAnswer
  | AppendRequest
  | AppendAnswer
  | Heartbeat
  | HeartbeatAnswer
  | SnapshotRequest
  | TimeoutNow
  | ReadIndexRequest
  | ReadIndexAnswer;

export interface VoteRequest extends Addressed {
  /** Pre-vote: thesis 9.6; nobody's term or vote changes. */
  readonly type: "vote" | "preVote";
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** Of a leadership transfer: the lease of the present leader does not count. */
  readonly force: boolean;
}

export interface VoteAnswer extends Addressed {
  readonly type: "voteAnswer" | "preVoteAnswer";
  readonly granted: boolean;
  /**
   * The voter's commit index and the term there: a candidate may need to know that a change of the
   * configuration is committed before it can win, with nobody left who leads and could tell it.
   */
  readonly commit: LogIndex;
  readonly commitTerm: Term;
}

export interface AppendRequest extends Addressed {
  readonly type: "append";
  readonly prevIndex: LogIndex;
  readonly prevTerm: Term;
  readonly entries: readonly Entry[];
  readonly commit: LogIndex;
}

export interface AppendAnswer extends Addressed {
  readonly type: "appendAnswer";
  /** Accepted: the last index known to match. Rejected: the `prevIndex` that was asked for. */
  readonly index: LogIndex;
  readonly rejected: boolean;
  /** Of a rejection: where the follower's log could match, and the term there. */
  readonly hintIndex: LogIndex;
  readonly hintTerm: Term;
}

export interface Heartbeat extends Addressed {
  readonly type: "heartbeat";
  /** Never above what is known to match on the receiver. */
  readonly commit: LogIndex;
  /** Number of the newest read request that this confirms; 0 if none. */
  readonly context: number;
}

export interface HeartbeatAnswer extends Addressed {
  readonly type: "heartbeatAnswer";
  readonly context: number;
}

/**
 * The receiver's log is behind the leader's first entry. As handed out, the host sends the newest
 * snapshot's file and tells the outcome by reportSnapshot; as stepped in, the file is here, whole.
 */
export interface SnapshotRequest extends Addressed {
  readonly type: "snapshot";
  readonly snapshot: SnapshotMeta;
}

/** Thesis 3.10: the receiver campaigns at once. */
export interface TimeoutNow extends Addressed {
  readonly type: "timeoutNow";
}

/** Section 6.4 of the thesis, asked by a follower. `context` is the follower's own number for it. */
export interface ReadIndexRequest extends Addressed {
  readonly type: "readIndex";
  readonly context: number;
}

export interface ReadIndexAnswer extends Addressed {
  readonly type: "readIndexAnswer";
  readonly context: number;
  readonly index: LogIndex;
}

/** The read with this context may be served as soon as `index` is applied. */
export interface ReadState {
  readonly context: number;
  readonly index: LogIndex;
}

/**
 * What has to happen, in this order: write `snapshot`, `entries` and `hardState` to the log as one;
 * send `messages`, which wait for nothing; apply `committed`. When the write is on the disk, call
 * written(write), and only then send `afterWrite`. Writes complete in the order in which they were
 * handed out; further Readys may be taken before.
 */
export interface Ready {
  /** The number for written(), growing by one; 0 if there is nothing to write. */
  readonly write: number;
  /** Undefined if as in the write before. A new commit index alone is no write: it goes with the next. */
  readonly hardState: HardState | undefined;
  /** The first replaces what the log has from its index on. */
  readonly entries: readonly Entry[];
  /** To be installed before `entries`: the log starts anew behind it. */
  readonly snapshot: SnapshotMeta | undefined;
  readonly messages: readonly Message[];
  /** Empty without a write: what earlier ones hold up comes in `messages` when they have ended. */
  readonly afterWrite: readonly Message[];
  /** On this replica's disk already, and on a majority's. */
  readonly committed: readonly Entry[];
  readonly reads: readonly ReadState[];
}

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** Where a leader stands with one replica. Figure 2, and etcd's states of it. */
export interface ProgressView {
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly state: "probe" | "replicate" | "snapshot";
  readonly recentlyActive: boolean;
  readonly inflight: number;
}
