// Sections 6 and 7 of the paper; 3, 4, 6.4, 9.6 and 10.2.1 of the thesis.
import { describe, expect, test } from "vitest";
import { Cluster } from "../cluster/cluster.ts";
import { configurationOf, EMPTY, Replica } from "../cluster/replica.ts";
import { entriesOf, of, Rig } from "./rig.ts";

const joint = { ...configurationOf([1, 2, 3]), outgoing: [1, 4, 5], highest: 5, autoLeave: true };

describe("Section 6, joint consensus", () => {
  test("an election needs majorities of both", () => {
    const rig = new Rig({ configuration: joint });
    rig.step({ type: "timeoutNow", from: 2, to: 1, term: 1 });
    const yes = {
      type: "voteAnswer",
      to: 1,
      term: 2,
      granted: true,
      commit: 1,
      commitTerm: 1,
    } as const;
    rig.step({ ...yes, from: 2 });
    rig.step({ ...yes, from: 3 });
    expect(rig.core.role).toBe("candidate");
    rig.step({ ...yes, from: 4 });
    expect(rig.core.role).toBe("leader");
  });

  test("a commit needs majorities of both", () => {
    const rig = new Rig({ configuration: joint });
    rig.lead();
    const yes = {
      type: "voteAnswer",
      to: 1,
      term: 2,
      granted: true,
      commit: 1,
      commitTerm: 1,
    } as const;
    const pre = { ...yes, type: "preVoteAnswer" } as const;
    rig.step({ ...pre, from: 4 });
    for (const from of [2, 4]) rig.step({ ...yes, from });
    expect(rig.core.role).toBe("leader");
    rig.accept(2, 2);
    rig.accept(3, 2);
    expect(rig.core.commit).toBe(1);
    rig.accept(4, 2);
    expect(rig.core.commit).toBe(2);
  });

  test("several voters at once: joint, and left without being asked; no other change meanwhile", () => {
    const cluster = new Cluster([1, 2, 3]);
    const { core } = cluster.elect(1);
    const changes = [{ type: "demote", id: 2 } as const, { type: "demote", id: 3 } as const];
    expect(core.proposeConfiguration({ changes }).ok).toBe(true);
    const again = core.proposeConfiguration({ changes: [{ type: "remove", id: 3 }] });
    expect(again).toMatchObject({ ok: false, reason: "pendingChange" });
    cluster.settle();
    expect(core.configuration).toMatchObject({ voters: [1], outgoing: [], learners: [2, 3] });
  });

  test("a new server catches up as a learner without a vote, then it is promoted", () => {
    const cluster = new Cluster([1, 2]);
    cluster.add(new Replica(3, EMPTY));
    const { core } = cluster.elect(1);
    core.proposeConfiguration({ changes: [{ type: "addLearner", id: 3, node: "n3", disk: 33 }] });
    cluster.settle();
    cluster.tick(2);
    expect(cluster.at(3).core.configuration).toMatchObject({ voters: [1, 2], learners: [3] });
    cluster.at(3).core.campaign();
    expect(cluster.at(3).core.role).toBe("follower");
    core.proposeConfiguration({ changes: [{ type: "promote", id: 3 }] });
    cluster.settle();
    expect(cluster.at(3).core.configuration.voters).toEqual([1, 2, 3]);
    expect(cluster.at(3).core.configuration.nodes.get(3)).toEqual({ name: "n3", disk: 33 });
  });
});

describe("Section 7, InstallSnapshot", () => {
  const meta = { index: 5, term: 2, configuration: configurationOf([1, 2, 3, 4]) };
  const install = { type: "snapshot", from: 2, to: 1, term: 3, snapshot: meta } as const;

  test("discards the log where it does not match, and takes over the configuration", () => {
    const rig = new Rig({ terms: [1, 1] });
    const answers = of(rig.step(install), "appendAnswer");
    expect(answers).toMatchObject([{ index: 5, rejected: false }]);
    expect(rig.core).toMatchObject({ firstIndex: 6, lastIndex: 5, lastTerm: 2, commit: 5 });
    expect(rig.core.configuration.voters).toEqual([1, 2, 3, 4]);
  });

  test("is confirmed only when it is on the disk, with entries behind it in the same write", () => {
    const rig = new Rig();
    rig.core.step(install);
    const append = { type: "append", from: 2, to: 1, term: 3, prevIndex: 5, prevTerm: 2 } as const;
    rig.core.step({ ...append, entries: entriesOf([3], 6), commit: 6 });
    expect(of(rig.pump(true), "appendAnswer")).toEqual([]);
    expect(rig.writing).toMatchObject([{ snapshot: meta, entries: [{ index: 6 }] }]);
    expect(of(rig.endWrite(), "appendAnswer").map((answer) => answer.index)).toEqual([5, 6]);
    // Nothing is applied on top of what the state machine does not have yet.
    expect(rig.handedOut()).toEqual([]);
    rig.core.appliedTo(5);
    rig.pump();
    expect(rig.handedOut()).toEqual([6]);
  });

  test("retains what follows where the log has that entry", () => {
    const rig = new Rig({ terms: [1, 1, 2, 2, 2, 2] });
    rig.step(install);
    expect(rig.core).toMatchObject({ firstIndex: 2, lastIndex: 7, commit: 5 });
  });

  test("an old one changes nothing", () => {
    const rig = new Rig({ terms: [1, 1, 2, 2, 2], hardState: { commit: 6 } });
    expect(of(rig.step(install), "appendAnswer")).toMatchObject([{ index: 6 }]);
    expect(rig.core.configuration.voters).toEqual([1, 2, 3]);
  });
});

describe("Thesis 3.10, leadership transfer", () => {
  test("a target whose log is complete is told at once, another when it has caught up", () => {
    const rig = new Rig();
    rig.lead();
    rig.accept(2, 2);
    rig.core.transferLeadership(2);
    expect(of(rig.pump(), "timeoutNow")).toMatchObject([{ to: 2 }]);
    rig.core.transferLeadership(3);
    expect(of(rig.pump(), "timeoutNow")).toEqual([]);
    expect(of(rig.accept(3, 2), "timeoutNow")).toMatchObject([{ to: 3 }]);
  });

  test("proposals are refused until it ends, at the latest after an election timeout", () => {
    const rig = new Rig();
    rig.lead();
    rig.accept(2, 2);
    rig.core.transferLeadership(3);
    expect(rig.core.propose([Buffer.from("x")])).toMatchObject({
      ok: false,
      reason: "transferring",
    });
    for (let tick = 0; tick < 10; tick++) rig.core.tick();
    expect(rig.core.role).toBe("leader");
    expect(rig.core.propose([Buffer.from("x")]).ok).toBe(true);
  });
});

describe("Thesis 4", () => {
  test("4.1: a change is refused until the one before it is applied, and until an entry of the leader's term is", () => {
    const rig = new Rig();
    rig.lead();
    const change = { changes: [{ type: "remove", id: 3 }] } as const;
    expect(rig.core.proposeConfiguration(change)).toMatchObject({ reason: "pendingChange" });
    rig.accept(2, 2);
    expect(rig.core.proposeConfiguration(change)).toMatchObject({ reason: "pendingChange" });
    rig.core.appliedTo(2);
    expect(rig.core.proposeConfiguration(change)).toMatchObject({ ok: true });
    expect(rig.core.proposeConfiguration(change)).toMatchObject({ reason: "pendingChange" });
  });

  test("4.2.2: a leader that is removed leads on without counting itself, and hands over", () => {
    const cluster = new Cluster([1, 2, 3]);
    const { core } = cluster.elect(1);
    core.proposeConfiguration({ changes: [{ type: "remove", id: 1 }] });
    cluster.settle();
    expect(cluster.leaders).toHaveLength(1);
    expect(cluster.leaders).not.toContain(1);
    expect(core.role).toBe("follower");
  });

  test("4.2.3: who hears from a leader refuses votes of higher terms, but for a transfer", () => {
    const rig = new Rig();
    rig.append({ term: 2, prev: [1, 1], terms: [2] });
    expect(rig.askVote({ from: 3, term: 7, last: [9, 6] })).toEqual([]);
    expect(rig.core.term).toBe(2);
    const forced = rig.askVote({ from: 3, term: 7, last: [9, 6], force: true });
    expect(of(forced, "voteAnswer")).toMatchObject([{ granted: true }]);
  });
});

describe("Thesis 6.2", () => {
  test("a leader that a quorum does not answer for an election timeout steps down", () => {
    const rig = new Rig();
    rig.lead();
    rig.accept(2, 2);
    for (let tick = 0; tick < 10; tick++) rig.core.tick();
    expect(rig.core.role).toBe("leader");
    for (let tick = 0; tick < 10; tick++) rig.core.tick();
    expect(rig.core).toMatchObject({ role: "follower", leader: 0, term: 2 });
  });
});

describe("Thesis 6.4, reads", () => {
  const beat = { type: "heartbeatAnswer", from: 2, to: 1, term: 2 } as const;

  test("1. not before an entry of its term is committed", () => {
    const rig = new Rig();
    rig.lead();
    rig.core.readIndex(7);
    expect(of(rig.pump(), "heartbeat")).toEqual([]);
    expect(of(rig.accept(2, 2), "heartbeat")).toMatchObject([{ context: 1 }, { context: 1 }]);
  });

  test("2. and 3. with the commit index of when it was asked, when a quorum has answered after that", () => {
    const rig = new Rig();
    rig.lead();
    rig.accept(2, 2);
    rig.core.readIndex(7);
    rig.core.readIndex(8);
    const rounds = of(rig.pump(), "heartbeat").map((heartbeat) => heartbeat.context);
    expect(rounds).toEqual([1, 1]);
    rig.core.propose([Buffer.from("x")]);
    rig.pump();
    rig.accept(2, 3);
    rig.core.step({ ...beat, context: 0 });
    expect(rig.core.ready()?.reads ?? []).toEqual([]);
    rig.core.step({ ...beat, context: 1 });
    expect(rig.core.ready()?.reads).toEqual([
      { context: 7, index: 2 },
      { context: 8, index: 2 },
    ]);
  });

  test("a lone voter answers at once; one without a leader refuses", () => {
    const cluster = new Cluster([1]);
    expect(cluster.at(1).core.readIndex(1)).toBe(false);
    cluster.elect(1);
    expect(cluster.at(1).core.readIndex(1)).toBe(true);
    expect(cluster.at(1).core.ready()?.reads).toEqual([{ context: 1, index: 2 }]);
  });

  test("followers ask the leader; what they call their reads does not collide", () => {
    const cluster = new Cluster([1, 2, 3]);
    cluster.elect(1);
    cluster.tick();
    for (const id of [1, 2, 3]) cluster.at(id).core.readIndex(7);
    cluster.settle();
    for (const id of [1, 2, 3]) expect(cluster.at(id).reads).toEqual([{ context: 7, index: 2 }]);
  });
});

describe("Thesis 9.6, pre-vote", () => {
  test("asking and answering change neither term nor vote, on either side, nor the timeout", () => {
    const rig = new Rig();
    rig.core.campaign();
    expect(of(rig.pump(), "preVote")).toMatchObject([{ term: 2 }, { term: 2 }]);
    expect(rig.core.hardState).toEqual({ term: 1, vote: 0, commit: 1 });
    const other = new Rig({ id: 2 });
    for (let tick = 0; tick < 9; tick++) other.core.tick();
    const answers = other.askVote({ type: "preVote", from: 1, term: 2, last: [1, 1] });
    expect(of(answers, "preVoteAnswer")).toMatchObject([{ granted: true, term: 2 }]);
    expect(other.core.hardState).toEqual({ term: 1, vote: 0, commit: 1 });
    for (let tick = 0; tick < 10; tick++) other.core.tick();
    expect(other.core.role).toBe("preCandidate");
  });

  test("is refused for a log that could not win, and by who hears from a leader", () => {
    const rig = new Rig({ terms: [1, 1] });
    const behind = rig.askVote({ type: "preVote", from: 3, term: 2, last: [2, 1] });
    expect(of(behind, "preVoteAnswer")).toMatchObject([{ granted: false, term: 1 }]);
    rig.append({ term: 1, prev: [3, 1] });
    expect(rig.askVote({ type: "preVote", from: 3, term: 2, last: [9, 1] })).toEqual([]);
  });
});

describe("Thesis 10.2.1", () => {
  test("the leader's append leaves before its own write ends, and it counts itself only then", () => {
    const rig = new Rig();
    rig.lead();
    rig.accept(2, 2);
    rig.accept(3, 2);
    rig.core.propose([Buffer.from("x")]);
    expect(of(rig.pump(true), "append")).toHaveLength(2);
    rig.core.step({
      type: "appendAnswer",
      from: 2,
      to: 1,
      term: 2,
      index: 3,
      rejected: false,
      hintIndex: 0,
      hintTerm: 0,
    });
    expect(rig.core.commit).toBe(2);
    rig.endWrite();
    expect(rig.core.commit).toBe(3);
  });

  test("a follower's answer waits for the write that holds what it confirms", () => {
    const rig = new Rig();
    const append = { type: "append", from: 2, to: 1, term: 2, prevIndex: 1, prevTerm: 1 } as const;
    rig.core.step({ ...append, entries: entriesOf([2]), commit: 1 });
    expect(rig.pump(true)).toEqual([]);
    // Again: nothing new is to be written, and the first write has not ended.
    rig.core.step({ ...append, entries: entriesOf([2]), commit: 1 });
    expect(rig.pump(true)).toEqual([]);
    expect(of(rig.endWrite(), "appendAnswer")).toMatchObject([{ index: 2 }]);
    expect(of(rig.pump(true), "appendAnswer")).toMatchObject([{ index: 2 }]);
  });
});
