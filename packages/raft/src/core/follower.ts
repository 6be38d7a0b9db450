/** Figure 2, AppendEntries and InstallSnapshot, the receiver's side. */
import { assert } from "@canopy/base";
import type { State } from "./state.ts";
import type {
  AppendRequest,
  Heartbeat,
  LogIndex,
  Message,
  ReadIndexAnswer,
  ReplicaId,
  SnapshotMeta,
  SnapshotRequest,
} from "./types.ts";
import { NONE } from "./types.ts";

/** Of the present term. */
export function stepFollower(state: State, message: Message): void {
  switch (message.type) {
    case "append":
      hearFrom(state, message.from);
      appendEntries(state, message);
      return;
    case "heartbeat":
      hearFrom(state, message.from);
      heartbeat(state, message);
      return;
    case "snapshot":
      hearFrom(state, message.from);
      installSnapshot(state, message);
      return;
    case "readIndexAnswer":
      readIndexAnswer(state, message);
      return;
    default:
    // Answers to what it asked in another role.
  }
}

/** A term has one leader, so this is it. */
function hearFrom(state: State, leader: ReplicaId): void {
  state.electionElapsed = 0;
  state.leader = leader;
}

function appendEntries(state: State, request: AppendRequest): void {
  const { log } = state;
  if (request.prevIndex < log.committed) {
    // What is committed matches any leader's log.
    accept(state, request.from, log.committed);
    return;
  }
  if (log.termAt(request.prevIndex) !== request.prevTerm) {
    reject(state, request);
    return;
  }
  const last = request.prevIndex + request.entries.length;
  log.append(request.entries);
  // Behind `last` the log may still differ from the leader's.
  log.commitTo(Math.min(request.commit, last));
  accept(state, request.from, last);
}

/** Waits for the write: the leader counts it as being on the disk. */
function accept(state: State, to: ReplicaId, index: LogIndex): void {
  const { id: from, term } = state;
  const hint = { hintIndex: 0, hintTerm: 0 };
  state.waiting.push({ type: "appendAnswer", from, to, term, index, rejected: false, ...hint });
}

/** Section 5.3, end: the hint skips whole terms that the leader's log can't have at that place. */
function reject(state: State, request: AppendRequest): void {
  const { id: from, term, log } = state;
  const { from: to, prevIndex: index } = request;
  const hintIndex = log.lastUpToTerm(index, request.prevTerm);
  const hint = { hintIndex, hintTerm: log.termAt(hintIndex) ?? 0 };
  state.waiting.push({ type: "appendAnswer", from, to, term, index, rejected: true, ...hint });
}

function heartbeat(state: State, message: Heartbeat): void {
  const { id: from, term, log } = state;
  // The leader knows these entries to be on this disk: without them nothing here can be trusted.
  assert(message.commit <= log.lastIndex, "the log has lost entries that it had confirmed");
  log.commitTo(message.commit);
  const { context } = message;
  state.messages.push({ type: "heartbeatAnswer", from, to: message.from, term, context });
}

function installSnapshot(state: State, request: SnapshotRequest): void {
  restore(state, request.snapshot);
  accept(state, request.from, state.log.committed);
}

/** This replica need not be a member in it: the entry that adds it may come behind the snapshot. */
function restore(state: State, snapshot: SnapshotMeta): void {
  const { log } = state;
  if (snapshot.index <= log.committed) return;
  if (log.termAt(snapshot.index) === snapshot.term) {
    // Figure 13, rule 6: a log that goes on behind the snapshot is kept.
    log.commitTo(snapshot.index);
    return;
  }
  log.restore(snapshot);
  state.configuration = snapshot.configuration;
}

function readIndexAnswer(state: State, answer: ReadIndexAnswer): void {
  const context = state.forwarded.take(answer.context);
  if (context !== undefined) state.readStates.push({ context, index: answer.index });
}

/** False if no leader is known, or too many reads wait. */
export function forwardRead(state: State, context: number): boolean {
  const { id: from, leader: to, term } = state;
  if (to === NONE || to === from) return false;
  const number = state.forwarded.ask(context);
  if (number === undefined) return false;
  state.messages.push({ type: "readIndex", from, to, term, context: number });
  return true;
}
