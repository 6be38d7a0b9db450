// Sections 5.1 to 5.4.2.
import { describe, expect, test } from "vitest";
import { Cluster } from "../cluster/cluster.ts";
import { configurationOf } from "../cluster/replica.ts";
import { of, Rig } from "./rig.ts";

describe("Section 5.1", () => {
  test("term and vote are in one write, before anything speaks of them", () => {
    const rig = new Rig();
    rig.core.step({ type: "timeoutNow", from: 2, to: 1, term: 1 });
    expect(of(rig.pump(true), "vote")).toEqual([]);
    expect(rig.writing.map((ready) => ready.hardState)).toEqual([{ term: 2, vote: 1, commit: 1 }]);
    expect(of(rig.endWrite(), "vote")).toHaveLength(2);
  });
});

describe("Section 5.2", () => {
  test("a vote leaves when it is on the disk", () => {
    const rig = new Rig();
    const request = { type: "vote", from: 2, to: 1, term: 2, lastIndex: 1, lastTerm: 1 } as const;
    rig.core.step({ ...request, force: false });
    expect(rig.pump(true)).toEqual([]);
    expect(of(rig.endWrite(), "voteAnswer")).toMatchObject([{ granted: true, term: 2 }]);
  });

  test("at most one leader can be elected in a term: a majority of refusals ends the candidacy", () => {
    const rig = new Rig();
    rig.step({ type: "timeoutNow", from: 2, to: 1, term: 1 });
    const no = {
      type: "voteAnswer",
      to: 1,
      term: 2,
      granted: false,
      commit: 1,
      commitTerm: 1,
    } as const;
    rig.step({ ...no, from: 2 });
    expect(rig.core.role).toBe("candidate");
    rig.step({ ...no, from: 3 });
    expect(rig.core.role).toBe("follower");
  });

  test("a vote counts once, however often its answer arrives", () => {
    const rig = new Rig({ configuration: configurationOf([1, 2, 3, 4, 5]) });
    rig.step({ type: "timeoutNow", from: 2, to: 1, term: 1 });
    const yes = { type: "voteAnswer", from: 2, to: 1, term: 2, granted: true } as const;
    for (let i = 0; i < 5; i++) rig.step({ ...yes, commit: 1, commitTerm: 1 });
    expect(rig.core.role).toBe("candidate");
  });

  test("election timeouts are random, from electionTicks to twice as many less one", () => {
    const ticks = new Set<number>();
    for (let seed = 0; seed < 200; seed++) {
      const values = [seed / 200];
      const random = { next: () => values[0] ?? 0 };
      const rig = new Rig({ options: { random } });
      let count = 0;
      while (rig.core.role === "follower") {
        rig.core.tick();
        count++;
      }
      ticks.add(count);
    }
    expect([...ticks].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });
});

// Index 1 is of term 1 in each of them. The leader of term 8 has 1 1 1 4 4 5 5 6 6 6.
const LEADER = [1, 1, 4, 4, 5, 5, 6, 6, 6];
const FIGURE_7 = [
  ["a: an entry is missing", [1, 1, 4, 4, 5, 5, 6, 6]],
  ["b: many are missing", [1, 1, 4]],
  ["c: an extra entry", [1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
  ["d: extra entries of a later term", [1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
  ["e: missing and extra ones", [1, 1, 4, 4, 4, 4]],
  ["f: two terms that nobody else has", [1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
] as const;

describe("Section 5.3", () => {
  test.each(FIGURE_7)("figure 7 %s: the follower's log becomes the leader's", (_, terms) => {
    const leader = new Rig({ terms: LEADER, hardState: { term: 7 } });
    const follower = new Rig({ id: 2, terms, hardState: { term: 7 } });
    let messages = leader.lead();
    for (let round = 0; messages.length > 0 && round < 50; round++) {
      const answers = messages.filter((m) => m.to === 2).flatMap((m) => follower.step(m));
      messages = answers.filter((m) => m.to === 1).flatMap((m) => leader.step(m));
    }
    expect(follower.terms).toEqual([...LEADER, 8]);
    expect(leader.core.progress().get(2)).toMatchObject({ match: 11, state: "replicate" });
  });

  test("a whole term of conflicts costs one refusal", () => {
    const leader = new Rig({ terms: [1, ...Array<number>(50).fill(5)], hardState: { term: 5 } });
    const follower = new Rig({ id: 2, terms: [1, ...Array<number>(50).fill(3)] });
    let messages = leader.lead();
    let refusals = 0;
    while (messages.length > 0) {
      const answers = messages.filter((m) => m.to === 2).flatMap((m) => follower.step(m));
      refusals += of(answers, "appendAnswer").filter((answer) => answer.rejected).length;
      messages = answers.filter((m) => m.to === 1).flatMap((m) => leader.step(m));
    }
    expect(follower.core.lastTerm).toBe(6);
    expect(refusals).toBe(1);
  });

  test("a leader never overwrites or deletes what is in its own log", () => {
    const rig = new Rig({ terms: [1, 1] });
    rig.lead();
    rig.append({ term: 2, prev: [1, 1], terms: [2] });
    expect(rig.terms).toEqual([1, 1, 2]);
  });
});

describe("Section 5.4.1", () => {
  test.each([
    ["a later last term wins over a longer log", [2, 3], true],
    ["an earlier last term loses with a longer log", [9, 1], false],
    ["with the same last term the longer log wins", [4, 2], true],
    ["as long is up-to-date enough", [3, 2], true],
    ["with the same last term the shorter log loses", [2, 2], false],
  ] as const)("%s", (_, last, granted) => {
    const rig = new Rig({ terms: [1, 2] });
    expect(of(rig.askVote({ term: 4, last }), "voteAnswer")).toMatchObject([{ granted }]);
  });
});

describe("Section 5.4.2", () => {
  test("figure 8: an entry of an earlier term on a majority is not committed by counting", () => {
    const rig = new Rig({ terms: [2], hardState: { term: 3 } });
    rig.lead();
    rig.accept(2, 2);
    rig.accept(3, 2);
    expect(rig.core.commit).toBe(1);
    rig.accept(2, 3);
    expect(rig.core.commit).toBe(3);
  });
});

describe("Section 8", () => {
  test("a new leader begins its term with an entry of its own, and knows with it what is committed", () => {
    const cluster = new Cluster([1, 2, 3]);
    cluster.elect(1);
    expect(cluster.at(1).core).toMatchObject({ commit: 2, lastTerm: 2 });
  });
});
