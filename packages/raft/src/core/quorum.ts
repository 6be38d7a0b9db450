/** What a majority says, or in a joint configuration both majorities (section 6). */
import type { Configuration, ReplicaId } from "./types.ts";

export type VoteResult = "won" | "lost" | "pending";

export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0;
}

export function isVoter(configuration: Configuration, id: ReplicaId): boolean {
  return configuration.voters.includes(id) || configuration.outgoing.includes(id);
}

/** The highest value that a quorum has reached; Infinity where nobody votes. */
export function quorumValue(
  configuration: Configuration,
  valueOf: (id: ReplicaId) => number,
): number {
  const incoming = majorityValue(configuration.voters, valueOf);
  if (!isJoint(configuration)) return incoming;
  return Math.min(incoming, majorityValue(configuration.outgoing, valueOf));
}

function majorityValue(voters: readonly ReplicaId[], valueOf: (id: ReplicaId) => number): number {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  const values = voters.map(valueOf).sort((a, b) => b - a);
  return values[Math.floor(voters.length / 2)] as number;
}

/** undefined: has not voted yet. */
export function voteResult(
  configuration: Configuration,
  voteOf: (id: ReplicaId) => boolean | undefined,
): VoteResult {
  const incoming = majorityVote(configuration.voters, voteOf);
  if (!isJoint(configuration)) return incoming;
  const outgoing = majorityVote(configuration.outgoing, voteOf);
  if (incoming === "lost" || outgoing === "lost") return "lost";
  return incoming === "won" && outgoing === "won" ? "won" : "pending";
}

function majorityVote(
  voters: readonly ReplicaId[],
  voteOf: (id: ReplicaId) => boolean | undefined,
): VoteResult {
  let granted = 0;
  let refused = 0;
  for (const id of voters) {
    const vote = voteOf(id);
    if (vote === true) granted++;
    else if (vote === false) refused++;
  }
  const majority = Math.floor(voters.length / 2) + 1;
  if (granted >= majority) return "won";
  return voters.length - refused < majority ? "lost" : "pending";
}
