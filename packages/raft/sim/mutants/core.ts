/** Bugs in the protocol; most were in some Raft once. */
import type { Mutant } from "./mutant.ts";

export const coreMutants: readonly Mutant[] = [
  {
    name: "a vote without a new term is not persisted",
    file: "core/core.ts",
    find: "hardState.term !== this.#written.term || hardState.vote !== this.#written.vote;",
    replace: "hardState.term !== this.#written.term;",
  },
  {
    name: "a vote is answered before it is written",
    file: "core/vote.ts",
    find: 'state.waiting.push({ type: "voteAnswer"',
    replace: 'state.messages.push({ type: "voteAnswer"',
  },
  {
    name: "an append is answered before it is written",
    file: "core/follower.ts",
    find: 'state.waiting.push({ type: "appendAnswer", from, to, term, index, rejected: false',
    replace: 'state.messages.push({ type: "appendAnswer", from, to, term, index, rejected: false',
  },
  {
    name: "a candidate counts its own vote before term and vote are written",
    file: "core/candidate.ts",
    find: "  state.vote = state.id;\n",
    replace: "  state.vote = state.id;\n  recordVote(state, state.id, true);\n",
  },
  {
    name: "term and vote are written in two steps",
    file: "core/core.ts",
    find: "    this.#written = hardState;\n",
    replace:
      "    const later = hardState.term > this.#written.term;\n" +
      "    this.#written = { ...hardState };\n" +
      "    if (later) Object.assign(hardState, { vote: 0 });\n",
  },
  {
    name: "a candidate asks for votes before its term is written",
    file: "core/candidate.ts",
    find: 'const out = type === "vote" ? state.waiting : state.messages;',
    replace: "const out = state.messages;",
  },
  {
    name: "a campaign begins without a pre-vote",
    file: "core/candidate.ts",
    find: "if (force) becomeCandidate(state, true);",
    replace: "if (state.role !== undefined) becomeCandidate(state, force);",
  },
  {
    name: "who hears from a leader takes part in an election",
    file: "core/vote.ts",
    find: "return request.term > state.term && !request.force && inLease(state);",
    replace: "return request.term < state.term && inLease(state);",
  },
  {
    name: "a change of members is in force when the leader has it in its log, and stays when it is overwritten",
    file: "core/leader.ts",
    find: "  state.pendingChange = append(state, EntryKind.Configuration, encodeChange(change));\n",
    replace:
      "  state.pendingChange = append(state, EntryKind.Configuration, encodeChange(change));\n" +
      "  const changed = changeConfiguration(state.configuration, change);\n" +
      "  if (changed.ok) state.configuration = changed.configuration;\n" +
      "  followMembers(state, true);\n",
  },
  {
    name: "an entry of an older term is committed by counting (figure 8)",
    file: "core/leader.ts",
    find: "if (index <= before || log.termAt(index) !== state.term) return;",
    replace: "if (index <= before) return;",
  },
  {
    name: "a leader counts its own entries before they are written",
    file: "core/leader.ts",
    find: "id === self ? log.stable :",
    replace: "id === self ? log.lastIndex :",
  },
  {
    name: "a leader that was removed counts itself",
    file: "core/leader.ts",
    find: "const index = quorumValue(state.configuration, (id) =>",
    replace:
      "const { voters } = state.configuration;\n" +
      "  const all = voters.includes(self) ? voters : [...voters, self];\n" +
      "  const index = quorumValue({ ...state.configuration, voters: all }, (id) =>",
  },
  {
    name: "the vote is cleared when stepping down in the same term",
    file: "core/state.ts",
    find: "    state.vote = NONE;\n  }\n",
    replace: "  }\n  state.vote = NONE;\n",
  },
  {
    name: "a vote does not look at the log",
    file: "core/log.ts",
    find: "return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);",
    replace: "return lastTerm >= 0 && lastIndex >= 0;",
  },
  {
    name: "a vote compares the index before the term",
    file: "core/log.ts",
    find: "return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);",
    replace:
      "return lastIndex > this.lastIndex || (lastIndex === this.lastIndex && lastTerm >= this.lastTerm);",
  },
  {
    name: "a vote compares terms only",
    file: "core/log.ts",
    find: "(lastTerm === this.lastTerm && lastIndex >= this.lastIndex)",
    replace: "lastTerm === this.lastTerm",
  },
  {
    name: "two votes in one term",
    file: "core/vote.ts",
    find: "state.vote === NONE && state.leader === NONE",
    replace: "state.leader === NONE",
  },
  {
    name: "a pre-vote is kept as a vote",
    file: "core/vote.ts",
    find: "if (granted && !pre) {",
    replace: "if (granted) {",
  },
  {
    name: "a learner does not vote before it knows of its promotion",
    file: "core/vote.ts",
    find: "const granted = may && state.log",
    replace: "const granted = may && state.configuration.voters.includes(state.id) && state.log",
  },
  {
    name: "the commit index of a vote's answer is believed whatever the term there",
    file: "core/candidate.ts",
    find: "log.termAt(answer.commit) !== answer.commitTerm",
    replace: "answer.commit > log.lastIndex",
  },
  {
    name: "a deposed leader answers a read",
    file: "core/leader.ts",
    find: "reads.add({ from, context }, log.committed);",
    replace: "answerRead(state, { from, context, index: log.committed });",
  },
  {
    name: "a new leader answers a read before it committed an entry",
    file: "core/leader.ts",
    find: "if (log.termAt(log.committed) !== state.term) {",
    replace: "if (log.committed < 0) {",
  },
  {
    name: "a read begins no round",
    file: "core/read-index.ts",
    find: "index, round: this.#round + 1 }",
    replace: "index, round: this.#round }",
  },
  {
    name: "A→B→A: a write under way counts for what took its place",
    file: "core/log.ts",
    find: "for (const [i, end] of this.#writing.entries()) this.#writing[i] = Math.min(end, last);",
    replace: "",
  },
  {
    name: "what was truncated still counts as written",
    file: "core/log.ts",
    find: "    this.#stable = Math.min(this.#stable, last);\n",
    replace: "",
  },
  {
    name: "committed entries are handed out before they are on the disk",
    file: "core/log.ts",
    find: "const end = Math.min(this.#committed, this.#stable);",
    replace: "const end = this.#committed;",
  },
  {
    name: "paging of committed entries skips some",
    file: "core/log.ts",
    find: "this.#handedOut = from + entries.length - 1;",
    replace: "this.#handedOut = entries.length < end - from ? from + entries.length : end;",
  },
  {
    name: "a snapshot drops a longer log that matches",
    file: "core/follower.ts",
    find: "if (log.termAt(snapshot.index) === snapshot.term) {",
    replace: "if (log.committed < 0) {",
  },
  {
    name: "a snapshot behind the commit index is installed",
    file: "core/follower.ts",
    find: "if (snapshot.index <= log.committed) return;",
    replace: "",
  },
  {
    name: "a snapshot does not bring its configuration",
    file: "core/follower.ts",
    find: "  state.configuration = snapshot.configuration;\n",
    replace: "",
  },
  {
    name: "the term of a compacted index is 0",
    file: "core/log.ts",
    find: "return this.#entries[index - this.#prevIndex - 1]?.term;",
    replace: "return this.#entries[index - this.#prevIndex - 1]?.term ?? 0;",
  },
  {
    name: "a follower stays in snapshot state when the snapshot was lost",
    file: "core/leader.ts",
    find: 'if (progress?.state !== "snapshot") return;',
    replace: 'if (progress?.state !== "snapshot" || !ok) return;',
  },
  {
    name: "a follower stays in probe state when the probe was lost",
    file: "core/leader.ts",
    find: "  progress.held = false;\n",
    replace: "",
  },
  {
    name: "two changes of members at once",
    file: "core/leader.ts",
    find: 'if (state.pendingChange > state.log.applied) return refuse("pendingChange");',
    replace: "",
  },
  {
    name: "a change of members before an entry of the leader's own term",
    file: "core/leader.ts",
    find: "state.pendingChange = append(state, EntryKind.Empty, NO_DATA);",
    replace: "append(state, EntryKind.Empty, NO_DATA);",
  },
  {
    name: "a late answer lowers the match",
    file: "core/progress.ts",
    find: "if (index <= this.match) return false;",
    replace: "if (index === this.match) return false;",
  },
  {
    name: "the count of uncommitted bytes leaks",
    file: "core/leader.ts",
    find: "state.uncommittedBytes -= entryBytes(entry);",
    replace: "state.uncommittedBytes -= entry.data.length;",
  },
  {
    name: "an append does not look at the entry before it",
    file: "core/follower.ts",
    find: "if (log.termAt(request.prevIndex) !== request.prevTerm) {",
    replace: "if (request.prevIndex > log.lastIndex) {",
  },
  {
    name: "a late append shortens the log",
    file: "core/log.ts",
    find: "if (this.termAt(entry.index) !== entry.term) break;",
    replace: "if (entry.index > this.#committed) break;",
  },
  {
    name: "a heartbeat tells a commit index that need not match",
    file: "core/replicate.ts",
    find: "const commit = Math.min(progress.match, log.committed);",
    replace: "const commit = log.committed;",
  },
  {
    name: "a joint configuration commits by the new majority alone",
    file: "core/quorum.ts",
    find: "return Math.min(incoming, majorityValue(configuration.outgoing, valueOf));",
    replace: "return incoming;",
  },
  {
    name: "a joint configuration elects by the new majority alone",
    file: "core/quorum.ts",
    find: 'return incoming === "won" && outgoing === "won" ? "won" : "pending";',
    replace: "return incoming;",
  },
  {
    name: "half of the voters commit",
    file: "core/quorum.ts",
    find: "values[Math.floor(voters.length / 2)]",
    replace: "values[Math.floor((voters.length - 1) / 2)]",
  },
  {
    name: "half of the voters elect",
    file: "core/quorum.ts",
    find: "const majority = Math.floor(voters.length / 2) + 1;",
    replace: "const majority = Math.ceil(voters.length / 2);",
  },
];
