/** What the roles share: figure 2's state, and what waits to go out. */
import { randomInt } from "@canopy/base";
import { Log } from "./log.ts";
import type { CoreOptions, RecoveredLog } from "./port.ts";
import type { Progress } from "./progress.ts";
import { isVoter } from "./quorum.ts";
import { Forwarded, Reads } from "./read-index.ts";
import type {
  Configuration,
  LogIndex,
  Message,
  ReadState,
  ReplicaId,
  Role,
  Term,
} from "./types.ts";
import { NONE } from "./types.ts";

/** Numbers of forwarded reads begin at a random multiple of this. */
const READS_PER_LIFE = 2 ** 24;
const LIVES = 2 ** 28;

export class State {
  readonly id: ReplicaId;
  readonly options: CoreOptions;
  readonly log: Log;
  term: Term;
  vote: ReplicaId;
  role: Role = "follower";
  leader: ReplicaId = NONE;
  configuration: Configuration;

  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** In ticks, drawn anew with each change of role or term. */
  electionTimeout = 0;

  /** Of a candidate: the answers so far. */
  readonly votes: Map<ReplicaId, boolean> = new Map();

  /** Of a leader: every member but itself. */
  readonly progress: Map<ReplicaId, Progress> = new Map();
  /** Something may have to be sent to followers. */
  dirty = false;
  /** To whom leadership is being transferred. */
  transferee: ReplicaId = NONE;
  /** No entry behind this index changes the configuration. */
  pendingChange: LogIndex = 0;
  /** The last entry of a leader that is no voter any more; 0 as long as it is one. */
  farewell: LogIndex = 0;
  /** Of the proposals of this leadership. */
  uncommittedBytes = 0;

  readonly reads: Reads = new Reads();
  readonly forwarded: Forwarded;

  /** May leave at once. */
  messages: Message[] = [];
  /** Speak of what has to be on the disk first. */
  waiting: Message[] = [];
  readStates: ReadState[] = [];

  constructor(options: CoreOptions, recovered: RecoveredLog) {
    this.id = options.id;
    this.options = options;
    this.log = new Log(recovered, options.maxApplyingBytes);
    this.term = recovered.hardState.term;
    this.vote = recovered.hardState.vote;
    this.configuration = recovered.snapshot.configuration;
    this.forwarded = new Forwarded(randomInt(options.random, LIVES) * READS_PER_LIFE);
    drawTimeout(this);
  }
}

function drawTimeout(state: State): void {
  const { electionTicks, random } = state.options;
  state.electionTimeout = electionTicks + randomInt(random, electionTicks);
}

/** Figure 2, rules for all servers: a vote is of its term, so it goes only with the term. */
export function reset(state: State, term: Term): void {
  if (term !== state.term) {
    state.term = term;
    state.vote = NONE;
  }
  state.leader = NONE;
  state.electionElapsed = 0;
  state.heartbeatElapsed = 0;
  drawTimeout(state);
  state.votes.clear();
  state.progress.clear();
  state.transferee = NONE;
  state.pendingChange = 0;
  state.farewell = 0;
  state.uncommittedBytes = 0;
  state.reads.clear();
  state.forwarded.clear();
}

export function becomeFollower(state: State, term: Term, leader: ReplicaId): void {
  reset(state, term);
  state.role = "follower";
  state.leader = leader;
}

/**
 * May become a candidate: it is a voter, and no change of that is committed and not applied yet,
 * so that it counts votes by the configuration in force or the one next to it.
 */
export function isPromotable(state: State): boolean {
  const { log } = state;
  return (
    isVoter(state.configuration, state.id) &&
    !log.installing &&
    !log.hasConfiguration(log.applied + 1, log.committed)
  );
}

/** A leader is known and was heard from within the shortest election timeout. */
export function inLease(state: State): boolean {
  return state.leader !== NONE && state.electionElapsed < state.options.electionTicks;
}
