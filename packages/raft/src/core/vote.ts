/** Figure 2, RequestVote, the receiver's side. It is the same in all roles. */
import { isRemoved } from "./membership.ts";
import { inLease, type State } from "./state.ts";
import type { Message, Term, VoteRequest } from "./types.ts";
import { NONE } from "./types.ts";

/**
 * Thesis 4.2.3: who heard from a leader within the election timeout takes no part in an election,
 * and does not take over its term. A transfer is the exception: the leader itself asked for it.
 */
export function isRefusedByLease(state: State, request: VoteRequest): boolean {
  return request.term > state.term && !request.force && inLease(state);
}

/** Whether this replica is a voter does not matter: the candidate may know of its promotion first. */
export function stepVote(state: State, request: VoteRequest): void {
  const pre = request.type === "preVote";
  const free = state.vote === NONE && state.leader === NONE;
  const may = state.vote === request.from || free || (pre && request.term > state.term);
  const granted = may && state.log.isUpToDate(request.lastIndex, request.lastTerm);
  if (granted && !pre) {
    state.electionElapsed = 0;
    state.vote = request.from;
  }
  answer(state, request, granted ? request.term : state.term, granted);
}

/** A request of an older term learns the present one, so that its sender catches up. */
export function refuseOldVote(state: State, request: VoteRequest): void {
  answer(state, request, state.term, false);
}

function answer(state: State, request: VoteRequest, term: Term, granted: boolean): void {
  const { id: from, log } = state;
  const { committed: commit } = log;
  const commitTerm = log.termAt(commit) ?? 0;
  const addressed = { from, to: request.from, term, granted, commit, commitTerm };
  // Only the real vote is kept on the disk; a pre-vote leaves no trace.
  if (request.type === "vote") state.waiting.push({ type: "voteAnswer", ...addressed });
  else state.messages.push({ type: "preVoteAnswer", ...addressed });
}

/**
 * Replicas that were removed, by a configuration that is in force here, have no say. What a leader
 * sends counts even so: it was elected, and it leads until its removal is applied.
 */
export function hasNoSay(state: State, message: Message): boolean {
  switch (message.type) {
    case "append":
    case "heartbeat":
    case "snapshot":
    case "timeoutNow":
    case "readIndexAnswer":
      return false;
    default:
      return isRemoved(state.configuration, message.from);
  }
}
