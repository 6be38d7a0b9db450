// Figure 2 of the paper, row by row.
import { describe, expect, test } from "vitest";
import { of, Rig } from "./rig.ts";

describe("Figure 2, RequestVote, receiver", () => {
  test("1. replies false if term < currentTerm, with its own term", () => {
    const rig = new Rig({ hardState: { term: 5 } });
    const answers = of(rig.askVote({ type: "preVote", term: 4, last: [9, 4] }), "preVoteAnswer");
    expect(answers).toMatchObject([{ granted: false, term: 5 }]);
    rig.askVote({ term: 4, last: [9, 4] });
    expect(rig.core.hardState).toMatchObject({ term: 5, vote: 0 });
  });

  test("2. grants if votedFor is null or the candidate, and its log is up-to-date", () => {
    const rig = new Rig({ terms: [1, 2] });
    const first = of(rig.askVote({ from: 2, term: 3, last: [3, 2] }), "voteAnswer");
    const again = of(rig.askVote({ from: 2, term: 3, last: [3, 2] }), "voteAnswer");
    const other = of(rig.askVote({ from: 3, term: 3, last: [3, 2] }), "voteAnswer");
    expect([...first, ...again, ...other].map((answer) => answer.granted)).toEqual([
      true,
      true,
      false,
    ]);
  });
});

describe("Figure 2, AppendEntries, receiver", () => {
  test("1. replies false if term < currentTerm, so that the sender learns the term", () => {
    const rig = new Rig({ hardState: { term: 5 } });
    const answers = of(rig.append({ term: 4, prev: [1, 1], terms: [4] }), "appendAnswer");
    expect(answers).toMatchObject([{ rejected: true, term: 5 }]);
    expect(rig.core.lastIndex).toBe(1);
  });

  test.each([
    ["no entry at prevLogIndex", [5, 2] as const],
    ["another term there", [3, 1] as const],
  ])("2. replies false with %s", (_, prev) => {
    const rig = new Rig({ terms: [1, 2] });
    const answers = of(rig.append({ term: 3, prev, terms: [3] }), "appendAnswer");
    expect(answers).toMatchObject([{ rejected: true, index: prev[0] }]);
    expect(rig.terms).toEqual([1, 2]);
  });

  test("3. and 4. deletes a conflicting entry and all that follow it, and appends the new ones", () => {
    const rig = new Rig({ terms: [1, 2, 2, 2] });
    rig.append({ term: 3, prev: [2, 1], terms: [3, 3] });
    expect(rig.terms).toEqual([1, 3, 3]);
  });

  test("3. entries that are there already stay, and what follows them too", () => {
    const rig = new Rig({ terms: [1, 2, 2, 2] });
    rig.append({ term: 2, prev: [2, 1], terms: [2] });
    expect(rig.terms).toEqual([1, 2, 2, 2]);
  });

  test("5. commitIndex is min(leaderCommit, index of the last new entry)", () => {
    const rig = new Rig({ terms: [1, 1, 1, 1] });
    rig.append({ term: 2, prev: [2, 1], terms: [1], commit: 5 });
    expect(rig.core.commit).toBe(3);
    rig.append({ term: 2, prev: [5, 1], terms: [2], commit: 4 });
    expect(rig.core.commit).toBe(4);
  });
});

describe("Figure 2, all servers", () => {
  test("commitIndex > lastApplied: the entries between are handed out, in order", () => {
    const rig = new Rig({ terms: [1, 1, 1] });
    rig.append({ term: 1, prev: [4, 1], commit: 3 });
    expect(rig.handedOut()).toEqual([2, 3]);
    rig.append({ term: 1, prev: [4, 1], commit: 4 });
    expect(rig.handedOut()).toEqual([4]);
  });

  test.each(["follower", "candidate", "leader"] as const)(
    "a higher term makes a %s a follower of that term",
    (role) => {
      const rig = new Rig();
      if (role === "leader") rig.lead();
      else if (role === "candidate") rig.step({ type: "timeoutNow", from: 2, to: 1, term: 1 });
      expect(rig.core.role).toBe(role);
      rig.append({ term: 9, prev: [1, 1], terms: [9] });
      expect(rig.core).toMatchObject({ role: "follower", term: 9, leader: 2 });
    },
  );
});

describe("Figure 2, followers", () => {
  test("an election timeout without a leader or a granted vote begins an election", () => {
    const rig = new Rig();
    for (let tick = 0; tick < 9; tick++) rig.core.tick();
    expect(of(rig.pump(), "preVote")).toEqual([]);
    for (let tick = 9; tick < 19; tick++) rig.core.tick();
    expect(of(rig.pump(), "preVote").length).toBeGreaterThanOrEqual(2);
  });

  test("a granted vote begins the timeout anew", () => {
    const rig = new Rig();
    for (let tick = 0; tick < 9; tick++) rig.core.tick();
    rig.askVote({ term: 2, last: [1, 1] });
    for (let tick = 0; tick < 9; tick++) rig.core.tick();
    expect(rig.core.role).toBe("follower");
  });
});

describe("Figure 2, candidates", () => {
  test("on election: increments the term, votes for itself, asks all others", () => {
    const rig = new Rig({ hardState: { term: 4 } });
    const votes = of(rig.step({ type: "timeoutNow", from: 2, to: 1, term: 4 }), "vote");
    expect(rig.core.hardState).toMatchObject({ term: 5, vote: 1 });
    expect(votes.map((vote) => [vote.to, vote.term])).toEqual([
      [2, 5],
      [3, 5],
    ]);
  });

  test("votes of a majority: becomes leader", () => {
    const rig = new Rig();
    rig.lead();
    expect(rig.core).toMatchObject({ role: "leader", term: 2, leader: 1 });
  });

  test("AppendEntries of a leader of its term: becomes follower, and keeps its vote", () => {
    const rig = new Rig();
    rig.step({ type: "timeoutNow", from: 2, to: 1, term: 1 });
    rig.append({ term: 2, prev: [1, 1], terms: [2], from: 3 });
    expect(rig.core).toMatchObject({ role: "follower", leader: 3 });
    expect(rig.core.hardState.vote).toBe(1);
  });

  test("election timeout: begins a new election", () => {
    const rig = new Rig();
    rig.step({ type: "timeoutNow", from: 2, to: 1, term: 1 });
    for (let tick = 0; tick < 20; tick++) rig.core.tick();
    expect(of(rig.pump(), "preVote")[0]).toMatchObject({ term: 3 });
  });
});

describe("Figure 2, leaders", () => {
  test("upon election it appends to every other server, and again by heartbeats when idle", () => {
    const rig = new Rig();
    expect(of(rig.lead(), "append").map((append) => append.to)).toEqual([2, 3]);
    rig.core.tick();
    expect(of(rig.pump(), "heartbeat").map((beat) => beat.to)).toEqual([2, 3]);
  });

  test("a command is appended, and handed out when committed", () => {
    const rig = new Rig();
    rig.lead();
    expect(rig.core.propose([Buffer.from("x")])).toEqual({ ok: true, index: 3, term: 2 });
    rig.pump();
    rig.handedOut();
    rig.accept(2, 3);
    expect(rig.handedOut()).toEqual([2, 3]);
  });

  test("nextIndex begins behind its last entry; a success raises nextIndex and matchIndex", () => {
    const rig = new Rig({ terms: [1, 1] });
    const [append] = of(rig.lead(), "append");
    expect(append).toMatchObject({ prevIndex: 3, prevTerm: 1 });
    rig.accept(2, 4);
    expect(rig.core.progress().get(2)).toMatchObject({ match: 4, next: 5 });
  });

  test("a refusal for inconsistency lowers nextIndex, and it tries again", () => {
    const rig = new Rig({ terms: [1, 1] });
    rig.lead();
    const again = rig.step({
      type: "appendAnswer",
      from: 2,
      to: 1,
      term: 2,
      index: 3,
      rejected: true,
      hintIndex: 1,
      hintTerm: 1,
    });
    expect(of(again, "append")).toMatchObject([{ to: 2, prevIndex: 1 }]);
  });

  test("N > commitIndex, a majority of matchIndex ≥ N and log[N].term = currentTerm: commitIndex = N", () => {
    const rig = new Rig();
    rig.lead();
    rig.accept(2, 2);
    expect(rig.core.commit).toBe(2);
  });
});
