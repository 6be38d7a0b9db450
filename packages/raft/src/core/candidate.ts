/** Section 5.2, and the pre-vote of thesis 9.6. */
import { becomeLeader } from "./leader.ts";
import { membersOf } from "./membership.ts";
import { isVoter, voteResult } from "./quorum.ts";
import { becomeFollower, isPromotable, reset, type State } from "./state.ts";
import type { Message, ReplicaId, VoteAnswer } from "./types.ts";
import { NONE } from "./types.ts";

/** By a leader's wish (`force`) the pre-vote is left out: it would be refused. */
export function campaign(state: State, force: boolean): void {
  if (state.role === "leader" || !isPromotable(state)) return;
  if (force) becomeCandidate(state, true);
  else becomePreCandidate(state);
}

/** Asks whether an election could be won. Term and vote stay as they are. */
function becomePreCandidate(state: State): void {
  reset(state, state.term);
  state.role = "preCandidate";
  recordVote(state, state.id, true);
  // A lone voter has won already.
  if (state.role === "preCandidate") askForVotes(state, "preVote", false);
}

function becomeCandidate(state: State, force: boolean): void {
  reset(state, state.term + 1);
  state.role = "candidate";
  state.vote = state.id;
  askForVotes(state, "vote", force);
}

function askForVotes(state: State, type: "vote" | "preVote", force: boolean): void {
  const { id: from, log, configuration } = state;
  const { lastIndex, lastTerm } = log;
  const term = type === "vote" ? state.term : state.term + 1;
  // Term and vote have to be on the disk before anybody can answer them.
  const out = type === "vote" ? state.waiting : state.messages;
  for (const to of membersOf(configuration)) {
    if (to === from || !isVoter(configuration, to)) continue;
    out.push({ type, from, to, term, lastIndex, lastTerm, force });
  }
}

/** The candidate's vote for itself counts when it is on the disk. */
export function ownVoteWritten(state: State): void {
  recordVote(state, state.id, true);
}

/**
 * That an entry is committed is true in every term. The vote of who waits to apply a change of the
 * configuration would be counted by the old one, so it stands back until then.
 */
export function learnCommit(state: State, answer: VoteAnswer): void {
  const { log, term } = state;
  if (state.role === "leader" || log.termAt(answer.commit) !== answer.commitTerm) return;
  log.commitTo(answer.commit);
  if (state.role !== "follower" && !isPromotable(state)) becomeFollower(state, term, NONE);
}

/** Of the present term; of a pre-vote that was granted, of the term asked for. */
export function stepCandidate(state: State, message: Message): void {
  if (state.role === "candidate" && message.type === "voteAnswer") {
    recordVote(state, message.from, message.granted);
  } else if (state.role === "preCandidate" && message.type === "preVoteAnswer") {
    // An answer to an earlier pre-vote says nothing about this one.
    const asked = message.granted ? state.term + 1 : state.term;
    if (message.term === asked) recordVote(state, message.from, message.granted);
  }
}

function recordVote(state: State, from: ReplicaId, granted: boolean): void {
  if (!state.votes.has(from)) state.votes.set(from, granted);
  const result = voteResult(state.configuration, (id) => state.votes.get(id));
  if (result === "lost") becomeFollower(state, state.term, NONE);
  else if (result === "won" && state.role === "preCandidate") becomeCandidate(state, false);
  else if (result === "won") becomeLeader(state);
}
