/** Figure 2, rules for leaders. */
import { ENTRY_OVERHEAD, entryBytes } from "./log.ts";
import { changeConfiguration, encodeChange, idsGivenBefore, membersOf } from "./membership.ts";
import type { Proposed, Refusal } from "./port.ts";
import { Progress } from "./progress.ts";
import { isJoint, isVoter, quorumValue, voteResult } from "./quorum.ts";
import type { Asked, Confirmed } from "./read-index.ts";
import { sendHeartbeats } from "./replicate.ts";
import { becomeFollower, reset, type State } from "./state.ts";
import type {
  AppendAnswer,
  ConfigurationChange,
  HeartbeatAnswer,
  LogIndex,
  Message,
  ReplicaId,
} from "./types.ts";
import { EntryKind, NONE } from "./types.ts";

const NO_DATA = new Uint8Array(0);

export function becomeLeader(state: State): void {
  reset(state, state.term);
  state.role = "leader";
  state.leader = state.id;
  followMembers(state, false);
  // Section 8: an entry of its own term at once. One of those before it may change the
  // configuration, so no change is taken until it is applied.
  state.pendingChange = append(state, EntryKind.Empty, NO_DATA);
}

/** Progress of every member but itself, and of nobody else. */
function followMembers(state: State, active: boolean): void {
  const { configuration, log, options, progress } = state;
  const members = membersOf(configuration).filter((id) => id !== state.id);
  for (const id of progress.keys()) if (!members.includes(id)) progress.delete(id);
  for (const id of members) {
    if (progress.has(id)) continue;
    const { maxInflightAppends, maxInflightBytes } = options;
    const next = log.lastIndex + 1;
    progress.set(id, new Progress(next, active, maxInflightAppends, maxInflightBytes));
  }
  state.dirty = true;
}

function append(state: State, kind: EntryKind, data: Uint8Array): LogIndex {
  const { log, term } = state;
  const index = log.lastIndex + 1;
  const entry = { index, term, kind, data };
  log.push(entry);
  if (kind !== EntryKind.Empty) state.uncommittedBytes += entryBytes(entry);
  state.dirty = true;
  return index;
}

export function tickLeader(state: State): void {
  const { electionTicks, heartbeatTicks } = state.options;
  state.electionElapsed++;
  state.heartbeatElapsed++;
  if (state.electionElapsed >= electionTicks) {
    state.electionElapsed = 0;
    state.transferee = NONE;
    checkQuorum(state);
    if (state.role !== "leader") return;
  }
  if (state.heartbeatElapsed < heartbeatTicks) return;
  state.heartbeatElapsed = 0;
  sendHeartbeats(state);
}

/** Thesis 6.2: who does not hear from a quorum does not lead. */
function checkQuorum(state: State): void {
  const active = voteResult(
    state.configuration,
    (id) => id === state.id || state.progress.get(id)?.recentlyActive === true,
  );
  if (active !== "won") {
    becomeFollower(state, state.term, NONE);
    return;
  }
  for (const progress of state.progress.values()) progress.recentlyActive = false;
}

function refuse(reason: Refusal, message?: string): Proposed {
  return message === undefined ? { ok: false, reason } : { ok: false, reason, message };
}

/** Why nothing can be proposed here. */
function refusal(state: State): Refusal | undefined {
  if (state.role !== "leader") return "notLeader";
  const leaving = state.transferee !== NONE || state.farewell > 0;
  return leaving ? "transferring" : undefined;
}

export function propose(state: State, commands: readonly Uint8Array[]): Proposed {
  const reason = refusal(state);
  if (reason !== undefined) return refuse(reason);
  if (commands.length === 0) return refuse("invalid", "no commands");
  const index = state.log.lastIndex + 1;
  let bytes = commands.length * ENTRY_OVERHEAD;
  for (const data of commands) bytes += data.length;
  const before = state.uncommittedBytes;
  // One always fits, however large, when nothing else is under way.
  if (before > 0 && before + bytes > state.options.maxUncommittedBytes) return refuse("overloaded");
  for (const data of commands) append(state, EntryKind.Command, data);
  return { ok: true, index, term: state.term };
}

export function proposeConfiguration(state: State, change: ConfigurationChange): Proposed {
  const reason = refusal(state);
  if (reason !== undefined) return refuse(reason);
  if (state.pendingChange > state.log.applied) return refuse("pendingChange");
  const leaves = change.changes.length === 0;
  if (isJoint(state.configuration) && !leaves) return refuse("pendingChange", "it is joint");
  const given = idsGivenBefore(state.configuration, change);
  if (given !== undefined) return refuse("invalid", given);
  const changed = changeConfiguration(state.configuration, change);
  if (!changed.ok) return refuse("invalid", changed.message);
  return { ok: true, index: appendChange(state, change), term: state.term };
}

function appendChange(state: State, change: ConfigurationChange): LogIndex {
  state.pendingChange = append(state, EntryKind.Configuration, encodeChange(change));
  return state.pendingChange;
}

/** Something was applied: a joint configuration that is in force now is left. */
export function leaveJointWhenApplied(state: State): void {
  const { configuration, log } = state;
  if (!isJoint(configuration) || !configuration.autoLeave) return;
  if (log.applied >= state.pendingChange) appendChange(state, { changes: [] });
}

/** The configuration in force has changed. */
export function configurationChanged(state: State): void {
  followMembers(state, true);
  if (!isVoter(state.configuration, state.id)) sayFarewell(state);
  if (!isVoter(state.configuration, state.transferee)) state.transferee = NONE;
  // A smaller quorum may have been reached already.
  advanceCommit(state);
  answerConfirmed(state);
}

/**
 * Section 6: a leader that is not part of the configuration any more leads on, without counting
 * itself, until the others can do without it: whoever has one more entry from it knows, on its
 * disk, that the change is committed. Otherwise some could need the vote of one that is gone.
 */
function sayFarewell(state: State): void {
  state.farewell = append(state, EntryKind.Empty, NO_DATA);
}

/** One of the voters that have everything may begin an election at once (thesis 4.2.2). */
function leave(state: State): void {
  const { log, progress, configuration, term } = state;
  const heir = configuration.voters.find((id) => progress.get(id)?.match === log.lastIndex);
  if (heir !== undefined) sendTimeoutNow(state, heir);
  becomeFollower(state, term, NONE);
}

export function transferLeadership(state: State, to: ReplicaId): Proposed {
  if (state.role !== "leader") return refuse("notLeader");
  if (to === state.id) return refuse("invalid", `replica ${to} leads already`);
  const progress = state.progress.get(to);
  if (progress === undefined || !isVoter(state.configuration, to)) {
    return refuse("invalid", `replica ${to} is no voter`);
  }
  const { log, term } = state;
  if (state.transferee !== to) {
    state.transferee = to;
    // It has an election timeout's time from here on.
    state.electionElapsed = 0;
    if (progress.match === log.lastIndex) {
      sendTimeoutNow(state, to);
    } else {
      // If something was lost on the way, it should not take a heartbeat to find out.
      progress.nudged = true;
      state.dirty = true;
    }
  }
  return { ok: true, index: log.lastIndex, term };
}

function sendTimeoutNow(state: State, to: ReplicaId): void {
  state.messages.push({ type: "timeoutNow", from: state.id, to, term: state.term });
}

/** Of the present term. */
export function stepLeader(state: State, message: Message): void {
  switch (message.type) {
    case "appendAnswer":
      appendAnswer(state, message);
      return;
    case "heartbeatAnswer":
      heartbeatAnswer(state, message);
      return;
    case "readIndex":
      askRead(state, message);
      return;
    default:
    // Late votes; another leader of this term there can't be.
  }
}

function appendAnswer(state: State, answer: AppendAnswer): void {
  const { log } = state;
  const progress = state.progress.get(answer.from);
  if (progress === undefined || answer.index > log.lastIndex) return;
  progress.recentlyActive = true;
  if (answer.rejected) {
    // The follower has no entry of a higher term up to the hint, so neither may a match.
    const hint = log.lastUpToTerm(answer.hintIndex, answer.hintTerm);
    if (progress.rejected(answer.index, hint)) state.dirty = true;
    return;
  }
  acceptedBy(state, progress, answer.index);
  if (answer.from === state.transferee && progress.match === log.lastIndex) {
    sendTimeoutNow(state, answer.from);
  }
}

function acceptedBy(state: State, progress: Progress, index: LogIndex): void {
  const news = progress.accepted(index);
  if (!news && !(progress.state === "probe" && progress.match === index)) return;
  if (progress.state === "replicate") progress.inflight.free(index);
  else if (progress.state === "probe" || progress.match + 1 >= state.log.firstIndex) {
    progress.becomeReplicate();
  }
  state.dirty = true;
  if (news) advanceCommit(state);
}

function heartbeatAnswer(state: State, answer: HeartbeatAnswer): void {
  const progress = state.progress.get(answer.from);
  if (progress === undefined) return;
  progress.recentlyActive = true;
  progress.held = false;
  if (progress.match < state.log.lastIndex || progress.state === "probe") {
    progress.nudged = true;
    state.dirty = true;
  }
  if (answer.context === 0) return;
  state.reads.answered(answer.from, answer.context);
  answerConfirmed(state);
}

/**
 * Section 5.4.2: only an entry of the leader's own term is committed by counting; those before it
 * are by it. The leader counts what is on its own disk, and only where it is a voter.
 */
export function advanceCommit(state: State): void {
  const { log, progress, id: self } = state;
  const index = quorumValue(state.configuration, (id) =>
    id === self ? log.stable : (progress.get(id)?.match ?? 0),
  );
  const before = log.committed;
  if (index <= before || log.termAt(index) !== state.term) return;
  log.commitTo(index);
  for (const entry of log.between(before + 1, index)) {
    if (entry.term === state.term && entry.kind !== EntryKind.Empty) {
      state.uncommittedBytes -= entryBytes(entry);
    }
  }
  state.dirty = true;
  for (const asked of state.reads.takeEarly()) askRead(state, asked);
  if (state.farewell > 0 && index >= state.farewell) leave(state);
}

/** False if too many reads wait. */
export function askRead(state: State, asked: Asked): boolean {
  const { log, reads, configuration } = state;
  if (reads.full) return false;
  if (log.termAt(log.committed) !== state.term) {
    // What earlier leaders committed is known for sure with the first entry of this term.
    reads.postpone(asked);
    return true;
  }
  const { from, context } = asked;
  const alone = configuration.voters.length === 1 && !isJoint(configuration);
  if (alone && configuration.voters.includes(state.id)) {
    answerRead(state, { from, context, index: log.committed });
  } else {
    reads.add({ from, context }, log.committed);
  }
  return true;
}

function answerConfirmed(state: State): void {
  for (const read of state.reads.takeConfirmed(state.configuration, state.id)) {
    answerRead(state, read);
  }
}

function answerRead(state: State, read: Confirmed): void {
  const { id: from, term } = state;
  const { from: to, context, index } = read;
  if (to === from) state.readStates.push({ context, index });
  else state.messages.push({ type: "readIndexAnswer", from, to, term, context, index });
}

export function reportUnreachable(state: State, id: ReplicaId): void {
  const progress = state.progress.get(id);
  if (progress?.state !== "replicate") return;
  progress.becomeProbe();
  state.dirty = true;
}

export function reportSnapshot(state: State, id: ReplicaId, ok: boolean): void {
  const progress = state.progress.get(id);
  if (progress?.state !== "snapshot") return;
  if (!ok) progress.snapshot = 0;
  progress.becomeProbe();
  // Its answer goes on from here, or else the next heartbeat's.
  progress.held = true;
}
