/** The facade: rules for all servers (figure 2), dispatch to the role, and what has to be done. */
import { assert } from "@canopy/base";
import { campaign, learnCommit, ownVoteWritten, stepCandidate } from "./candidate.ts";
import { forwardRead, stepFollower } from "./follower.ts";
import {
  advanceCommit,
  askRead,
  configurationChanged,
  leaveJointWhenApplied,
  propose,
  proposeConfiguration,
  reportSnapshot,
  reportUnreachable,
  stepLeader,
  tickLeader,
  transferLeadership,
} from "./leader.ts";
import { changeConfiguration, decodeChange } from "./membership.ts";
import type { CoreOptions, Proposed, RaftCore, RecoveredLog } from "./port.ts";
import { flush } from "./replicate.ts";
import { becomeFollower, isPromotable, State } from "./state.ts";
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
import { NONE } from "./types.ts";
import { hasNoSay, isRefusedByLease, refuseOldVote, stepVote } from "./vote.ts";

interface Write {
  readonly number: number;
  /** Holds this replica's vote for itself in this term; 0 if none. */
  readonly ownVote: Term;
  readonly commit: LogIndex;
  /** Speak of what this write or one before it holds, and came when nothing new was to be written. */
  late: Message[];
}

export class Core implements RaftCore {
  readonly #state: State;
  /** As in the last write that held one. */
  #written: HardState;
  #lastWrite = 0;
  /** The entry that put the configuration in force, and the commit index that a restart will find. */
  #configurationAt: LogIndex = 0;
  #durableCommit: LogIndex;
  readonly #writes: Write[] = [];

  constructor(options: CoreOptions, recovered: RecoveredLog) {
    this.#state = new State(options, recovered);
    this.#written = recovered.hardState;
    this.#durableCommit = recovered.hardState.commit;
  }

  get id(): ReplicaId {
    return this.#state.id;
  }

  get role(): Role {
    return this.#state.role;
  }

  get term(): Term {
    return this.#state.term;
  }

  get leader(): ReplicaId {
    return this.#state.leader;
  }

  get configuration(): Configuration {
    return this.#state.configuration;
  }

  get isConfigurationDurable(): boolean {
    return this.#configurationAt <= this.#durableCommit;
  }

  get hardState(): HardState {
    const { term, vote, log } = this.#state;
    return { term, vote, commit: log.committed };
  }

  get commit(): LogIndex {
    return this.#state.log.committed;
  }

  get applied(): LogIndex {
    return this.#state.log.applied;
  }

  get firstIndex(): LogIndex {
    return this.#state.log.firstIndex;
  }

  get lastIndex(): LogIndex {
    return this.#state.log.lastIndex;
  }

  get lastTerm(): Term {
    return this.#state.log.lastTerm;
  }

  termAt(index: LogIndex): Term | undefined {
    return this.#state.log.termAt(index);
  }

  progress(): ReadonlyMap<ReplicaId, ProgressView> {
    return new Map([...this.#state.progress].map(([id, progress]) => [id, progress.view()]));
  }

  tick(): void {
    const state = this.#state;
    if (state.role === "leader") {
      tickLeader(state);
      return;
    }
    state.electionElapsed++;
    if (state.electionElapsed < state.electionTimeout || !isPromotable(state)) return;
    state.electionElapsed = 0;
    campaign(state, false);
  }

  step(message: Message): void {
    const state = this.#state;
    if (message.to !== state.id || hasNoSay(state, message)) return;
    if (message.type === "voteAnswer" || message.type === "preVoteAnswer") {
      learnCommit(state, message);
    }
    if (message.term < state.term) stepOld(state, message);
    else if (message.term === state.term || this.#takeTerm(message)) this.#dispatch(message);
  }

  campaign(): void {
    campaign(this.#state, false);
  }

  propose(commands: readonly Uint8Array[]): Proposed {
    return propose(this.#state, commands);
  }

  proposeConfiguration(change: ConfigurationChange): Proposed {
    return proposeConfiguration(this.#state, change);
  }

  readIndex(context: number): boolean {
    const state = this.#state;
    if (state.role !== "leader") return forwardRead(state, context);
    return askRead(state, { from: state.id, context });
  }

  transferLeadership(to: ReplicaId): Proposed {
    return transferLeadership(this.#state, to);
  }

  reportUnreachable(id: ReplicaId): void {
    reportUnreachable(this.#state, id);
  }

  reportSnapshot(id: ReplicaId, ok: boolean): void {
    reportSnapshot(this.#state, id, ok);
  }

  ready(): Ready | undefined {
    const state = this.#state;
    flush(state);
    const write = this.#beginWrite();
    const committed = state.log.handOut();
    const { messages, readStates: reads } = state;
    const idle = messages.length === 0 && reads.length === 0 && committed.length === 0;
    if (write.write === 0 && idle) return undefined;
    state.messages = [];
    state.readStates = [];
    return { ...write, messages, committed, reads };
  }

  written(write: number): void {
    const state = this.#state;
    const done = this.#writes.shift();
    assert(done?.number === write, `write ${write} is not the oldest under way`);
    state.log.endWrite();
    this.#durableCommit = Math.max(this.#durableCommit, done.commit);
    for (const message of done.late) state.messages.push(message);
    if (state.role === "candidate" && done.ownVote === state.term) ownVoteWritten(state);
    if (state.role === "leader") advanceCommit(state);
  }

  appliedTo(index: LogIndex): void {
    const state = this.#state;
    state.log.appliedTo(index);
    if (state.role === "leader") leaveJointWhenApplied(state);
  }

  applyConfiguration(entry: Entry): Configuration {
    const state = this.#state;
    const changed = changeConfiguration(state.configuration, decodeChange(entry.data));
    // The same on all replicas: one that does not fit changes nothing.
    if (!changed.ok) return state.configuration;
    state.configuration = changed.configuration;
    this.#configurationAt = entry.index;
    if (state.role === "leader") configurationChanged(state);
    return state.configuration;
  }

  compact(index: LogIndex): void {
    this.#state.log.compact(index);
  }

  snapshotTaken(meta: SnapshotMeta): void {
    this.#state.log.snapshotTaken(meta);
  }

  /** Of a higher term. False if the message does not count. */
  #takeTerm(message: Message): boolean {
    const state = this.#state;
    switch (message.type) {
      case "preVote":
        return !isRefusedByLease(state, message);
      case "preVoteAnswer":
        // What was granted bears the term that was asked for, which nobody has yet.
        if (!message.granted) becomeFollower(state, message.term, NONE);
        return true;
      case "vote":
        if (isRefusedByLease(state, message)) return false;
        becomeFollower(state, message.term, NONE);
        return true;
      case "append":
      case "heartbeat":
      case "snapshot":
        becomeFollower(state, message.term, message.from);
        return true;
      default:
        becomeFollower(state, message.term, NONE);
        return true;
    }
  }

  #dispatch(message: Message): void {
    const state = this.#state;
    switch (message.type) {
      case "vote":
      case "preVote":
        stepVote(state, message);
        return;
      case "append":
      case "heartbeat":
      case "snapshot":
        // Section 5.2: a candidate that hears from a leader of its term has lost.
        if (state.role !== "leader" && state.role !== "follower") {
          becomeFollower(state, message.term, message.from);
        }
        break;
      case "timeoutNow":
        if (state.role === "follower") campaign(state, true);
        return;
      default:
    }
    if (state.role === "leader") stepLeader(state, message);
    else if (state.role === "follower") stepFollower(state, message);
    else stepCandidate(state, message);
  }

  /**
   * A changed commit index alone is worth no write: it goes with the next. But for a configuration:
   * back in the one before, this replica could need the vote of one that is gone by then.
   */
  #beginWrite(): Pick<Ready, "write" | "hardState" | "entries" | "snapshot" | "afterWrite"> {
    const state = this.#state;
    const { hardState } = this;
    const voted = hardState.term !== this.#written.term || hardState.vote !== this.#written.vote;
    const { waiting } = state;
    state.waiting = [];
    const settles = this.#configurationAt > this.#written.commit;
    if (!voted && !settles && !state.log.hasUnwritten) {
      (this.#writes.at(-1)?.late ?? state.messages).push(...waiting);
      return NO_WRITE;
    }
    const changed = voted || hardState.commit !== this.#written.commit;
    this.#written = hardState;
    const number = ++this.#lastWrite;
    const ownVote = state.role === "candidate" ? state.term : 0;
    this.#writes.push({ number, ownVote, commit: hardState.commit, late: [] });
    const { entries, snapshot } = state.log.beginWrite();
    const held = { write: number, hardState: changed ? hardState : undefined };
    return { ...held, entries, snapshot, afterWrite: waiting };
  }
}

const NO_WRITE = {
  write: 0,
  hardState: undefined,
  entries: [],
  snapshot: undefined,
  afterWrite: [],
};

/** A sender of an older term learns the present one, where that helps it. */
function stepOld(state: State, message: Message): void {
  if (message.type === "preVote") {
    refuseOldVote(state, message);
  } else if (message.type === "append" || message.type === "heartbeat") {
    const { id: from, term } = state;
    const answer = { index: 0, rejected: true, hintIndex: 0, hintTerm: 0 };
    state.messages.push({ type: "appendAnswer", from, to: message.from, term, ...answer });
  }
}
