// What went wrong in other implementations, by its name in the list that the design has of them.
import { describe, expect, test } from "vitest";
import { changeConfiguration, decodeChange, encodeChange } from "../src/core/membership.ts";
import type { MemberChange, Message } from "../src/index.ts";
import { Cluster } from "./cluster/cluster.ts";
import { configurationOf, EMPTY, Replica } from "./cluster/replica.ts";
import { entriesOf, of, Rig } from "./paper/rig.ts";

const NO_HINT = { hintIndex: 0, hintTerm: 0 };

describe("votes and terms", () => {
  test("old-term entry committed by counting (figure 8)", () => {
    const rig = new Rig({ terms: [2, 2] });
    rig.lead();
    rig.accept(2, 3);
    rig.accept(3, 3);
    expect(rig.core.commit).toBe(1);
  });

  test("term and vote written in two steps", () => {
    const rig = new Rig();
    rig.core.step({
      type: "vote",
      from: 2,
      to: 1,
      term: 5,
      lastIndex: 1,
      lastTerm: 1,
      force: false,
    });
    rig.pump(true);
    expect(rig.writing.map((ready) => ready.hardState)).toEqual([{ term: 5, vote: 2, commit: 1 }]);
  });

  test("vote cleared when stepping down in the same term", () => {
    const rig = new Rig();
    rig.lead();
    for (let tick = 0; tick < 20; tick++) rig.core.tick();
    expect(rig.core).toMatchObject({ role: "follower", term: 2 });
    expect(rig.core.hardState.vote).toBe(1);
    const answers = rig.askVote({ from: 2, term: 2, last: [9, 2] });
    expect(of(answers, "voteAnswer")).toMatchObject([{ granted: false }]);
  });

  test("vote rule comparing index before term", () => {
    const rig = new Rig({ terms: [1, 1, 1, 1], hardState: { term: 2 } });
    const answers = rig.askVote({ term: 3, last: [2, 2] });
    expect(of(answers, "voteAnswer")).toMatchObject([{ granted: true }]);
  });

  test("term raised but not persisted before campaigning", () => {
    const rig = new Rig();
    rig.core.step({ type: "timeoutNow", from: 2, to: 1, term: 1 });
    expect(of(rig.pump(true), "vote")).toEqual([]);
    // Also its own vote counts only then: alone it would lead without it.
    const alone = new Rig({ configuration: configurationOf([1]) });
    alone.core.campaign();
    alone.pump(true);
    expect(alone.core.role).toBe("candidate");
    alone.endWrite();
    expect(alone.core.role).toBe("leader");
  });

  test("pre-vote with side effects", () => {
    const rig = new Rig();
    rig.askVote({ type: "preVote", term: 9, last: [9, 8] });
    expect(rig.core.hardState).toEqual({ term: 1, vote: 0, commit: 1 });
    expect(rig.writing).toEqual([]);
  });

  test("an answer to an earlier pre-vote counts for this one", () => {
    const rig = new Rig({ hardState: { term: 4 } });
    rig.core.campaign();
    rig.pump();
    const late = { type: "preVoteAnswer", from: 2, to: 1, granted: true } as const;
    rig.step({ ...late, term: 4, commit: 1, commitTerm: 1 });
    expect(rig.core.role).toBe("preCandidate");
  });
});

describe("replication", () => {
  test("stale or reordered append response lowers next/match", () => {
    const rig = new Rig();
    rig.lead();
    rig.accept(2, 2);
    for (const text of ["a", "b", "c"]) rig.core.propose([Buffer.from(text)]);
    rig.pump();
    rig.accept(2, 5);
    const before = rig.core.progress().get(2);
    rig.accept(2, 3);
    const stale = { type: "appendAnswer", from: 2, to: 1, term: 2, rejected: true } as const;
    rig.step({ ...stale, index: 2, ...NO_HINT });
    expect(rig.core.progress().get(2)).toEqual(before);
  });

  test("follower reports a stale last-written index after truncation", () => {
    const rig = new Rig({ terms: [1, 1, 1] });
    rig.append({ term: 2, prev: [2, 1], terms: [2] });
    const answers = of(rig.append({ term: 2, prev: [3, 2], terms: [2] }), "appendAnswer");
    expect(answers).toMatchObject([{ index: 4, rejected: false }]);
    // Nothing beyond what the leader sent is confirmed, though the log was longer.
    const longer = new Rig({ terms: [1, 1, 1] });
    expect(of(longer.append({ term: 2, prev: [2, 1] }), "appendAnswer")).toMatchObject([
      { index: 2 },
    ]);
  });

  test("asynchronous append A→B→A", () => {
    const rig = new Rig({ configuration: configurationOf([1, 2, 3]) });
    const append = (term: number, entryTerm: number): void => {
      const at = { prevIndex: 1, prevTerm: 1, entries: entriesOf([entryTerm]), commit: 0 };
      rig.core.step({ type: "append", from: 2, to: 1, term, ...at });
      rig.pump(true);
    };
    append(2, 2);
    append(3, 3);
    append(4, 2);
    expect(rig.writing).toHaveLength(3);
    const beat = { type: "heartbeat", from: 2, to: 1, term: 4, context: 0 } as const;
    rig.core.step({ ...beat, commit: 2 });
    // The first write held the very entry that is committed now, but the second is still to come.
    rig.endWrite();
    rig.pump(true);
    rig.endWrite();
    rig.pump(true);
    expect(rig.handedOut()).toEqual([]);
    rig.endWrite();
    rig.pump(true);
    expect(rig.handedOut()).toEqual([2]);
  });

  test("what waits for a later write is let go with an earlier one", () => {
    const rig = new Rig();
    rig.core.step({ type: "heartbeat", from: 2, to: 1, term: 2, commit: 1, context: 0 });
    rig.pump(true);
    const append = { type: "append", from: 2, to: 1, term: 2, prevIndex: 1, prevTerm: 1 } as const;
    rig.core.step({ ...append, entries: entriesOf([2]), commit: 1 });
    rig.pump(true);
    expect(rig.endWrite()).toEqual([]);
    expect(of(rig.endWrite(), "appendAnswer")).toMatchObject([{ index: 2 }]);
  });

  test("term of a compacted index taken as 0 and “matching”", () => {
    const rig = new Rig({ terms: [1, 1, 1], hardState: { commit: 4 } });
    rig.pump();
    rig.core.appliedTo(4);
    rig.core.snapshotTaken({ index: 4, term: 1, configuration: rig.core.configuration });
    rig.core.compact(4);
    expect(rig.core.termAt(2)).toBeUndefined();
    rig.lead();
    const reject = { type: "appendAnswer", from: 2, to: 1, term: 2, rejected: true } as const;
    const out = rig.step({ ...reject, index: 4, ...NO_HINT });
    expect(of(out, "append")).toEqual([]);
    expect(of(out, "snapshot")).toMatchObject([{ to: 2, snapshot: { index: 4 } }]);
  });

  test("follower stuck in snapshot or probe state for ever", () => {
    const cluster = new Cluster([1, 2, 3]);
    const { core } = cluster.elect(1);
    const state = () => core.progress().get(3)?.state;
    cluster.isolate(3);
    cluster.propose(1, "a");
    core.reportUnreachable(3);
    cluster.tick(2);
    expect(state()).toBe("probe");
    cluster.heal();
    cluster.tick(3);
    expect(core.progress().get(3)).toMatchObject({ match: 3, state: "replicate" });
    cluster.isolate(3);
    cluster.propose(1, "b");
    cluster.at(1).compact();
    cluster.lose = (message) => message.type === "snapshot";
    for (let round = 0; round < 5; round++) {
      cluster.tick(2);
      expect(state()).toBe("snapshot");
      core.reportSnapshot(3, false);
    }
    cluster.heal();
    cluster.tick(3);
    expect(core.progress().get(3)).toMatchObject({ match: 4, state: "replicate" });
  });

  test("uncommitted-bytes counter leaks until all proposals are refused", () => {
    const cluster = new Cluster([1, 2, 3], { maxUncommittedBytes: 100 });
    cluster.elect(1);
    for (let round = 0; round < 5; round++) {
      const [old = 1] = cluster.leaders;
      cluster.isolate(old);
      while (cluster.propose(old, "lost").ok) {
        // Until it is full.
      }
      const [heir = 2] = [1, 2, 3].filter((id) => id !== old);
      for (const id of [1, 2, 3]) for (let i = 0; i < 10; i++) cluster.at(id).core.tick();
      cluster.settle();
      cluster.elect(heir);
      cluster.heal();
      cluster.tick(3);
      const [leader = 0] = cluster.leaders;
      expect(cluster.propose(leader, "x".repeat(200)).ok).toBe(true);
      expect(cluster.propose(leader, "y").ok).toBe(true);
    }
    const [leader = 0] = cluster.leaders;
    for (let i = 0; i < 10; i++) expect(cluster.propose(leader, "z").ok).toBe(true);
  });

  test("uncommitted-bytes counter goes below 0 by what an earlier leader proposed", () => {
    const cluster = new Cluster([1, 2, 3], { maxUncommittedBytes: 100 });
    cluster.elect(1);
    cluster.lose = (message) => message.to === 1;
    cluster.propose(1, "x".repeat(300));
    cluster.isolate(1);
    for (let i = 0; i < 10; i++) for (const id of [2, 3]) cluster.at(id).core.tick();
    cluster.settle();
    cluster.elect(2);
    expect(cluster.at(2).core.commit).toBe(4);
    cluster.isolate(2);
    let taken = 0;
    while (cluster.propose(2, "lost").ok) taken++;
    expect(taken).toBe(3);
  });
});

describe("committed entries and snapshots", () => {
  test("entry handed out as committed before durable in a one-voter group", () => {
    const rig = new Rig({ configuration: configurationOf([1]) });
    rig.core.campaign();
    rig.pump();
    rig.handedOut();
    rig.core.propose([Buffer.from("x")]);
    rig.pump(true);
    expect(rig.core.commit).toBe(2);
    expect(rig.handedOut()).toEqual([]);
    rig.core.propose([Buffer.from("y")]);
    rig.pump(true);
    rig.endWrite();
    rig.pump(true);
    expect(rig.core.commit).toBe(3);
    expect(rig.handedOut()).toEqual([3]);
    rig.endWrite();
    rig.pump(true);
    expect(rig.handedOut()).toEqual([4]);
  });

  test.each([1, 60, 100])("paging of committed entries skips one (pages of %d bytes)", (bytes) => {
    const terms = Array<number>(20).fill(1);
    const rig = new Rig({ terms, hardState: { commit: 21 }, options: { maxApplyingBytes: bytes } });
    const seen: number[] = [];
    for (let turn = 0; turn < 30; turn++) {
      rig.pump();
      const page = rig.handedOut();
      seen.push(...page);
      rig.core.appliedTo(page.at(-1) ?? 0);
    }
    expect(seen).toEqual(terms.map((_, i) => i + 2));
  });

  test("snapshot install drops a longer matching log", () => {
    const rig = new Rig({ terms: [1, 1, 1, 1] });
    const snapshot = { index: 3, term: 1, configuration: rig.core.configuration };
    rig.step({ type: "snapshot", from: 2, to: 1, term: 1, snapshot });
    expect(rig.core).toMatchObject({ lastIndex: 5, commit: 3 });
  });

  test("snapshot forgets a joint configuration", () => {
    const configuration = { ...configurationOf([1, 2]), outgoing: [1, 3], autoLeave: true };
    const rig = new Rig();
    const snapshot = { index: 9, term: 1, configuration };
    rig.step({ type: "snapshot", from: 2, to: 1, term: 1, snapshot });
    rig.core.appliedTo(9);
    expect(rig.core.configuration).toEqual(configuration);
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
    expect(rig.core.role).toBe("candidate");
  });
});

describe("reads", () => {
  test("read served by a deposed leader", () => {
    const cluster = new Cluster([1, 2, 3]);
    cluster.elect(1);
    cluster.isolate(1);
    for (let i = 0; i < 10; i++) for (const id of [2, 3]) cluster.at(id).core.tick();
    cluster.settle();
    cluster.elect(2);
    cluster.propose(2, "new");
    expect(cluster.at(1).core.role).toBe("leader");
    expect(cluster.at(1).core.readIndex(1)).toBe(true);
    cluster.heal();
    cluster.tick(3);
    expect(cluster.at(1).core.role).toBe("follower");
    expect(cluster.at(1).reads).toEqual([]);
    // Nor by itself when it leads again: the index is of before the other one's entry.
    cluster.at(2).core.transferLeadership(1);
    cluster.settle();
    expect(cluster.leaders).toEqual([1]);
    cluster.at(1).core.readIndex(2);
    cluster.tick(3);
    expect(cluster.at(1).reads).toMatchObject([{ context: 2 }]);
  });

  test("duplicated ReadIndex request answered with a stale index", () => {
    const rig = new Rig();
    rig.lead();
    rig.accept(2, 2);
    const request = { type: "readIndex", from: 3, to: 1, term: 2, context: 5 } as const;
    const beat = { type: "heartbeatAnswer", from: 2, to: 1, term: 2 } as const;
    rig.step(request);
    expect(of(rig.step({ ...beat, context: 1 }), "readIndexAnswer")).toMatchObject([{ index: 2 }]);
    rig.core.propose([Buffer.from("x")]);
    rig.pump();
    rig.accept(2, 3);
    rig.step(request);
    // The answer to the first round is there twice too: it confirms nothing of the second.
    expect(of(rig.step({ ...beat, context: 1 }), "readIndexAnswer")).toEqual([]);
    expect(of(rig.step({ ...beat, context: 2 }), "readIndexAnswer")).toMatchObject([{ index: 3 }]);
  });

  test("a late answer to a read of an earlier life is taken for that of this one", () => {
    const numbers = [0.25, 0.75].map((value) => {
      const rig = new Rig({ options: { random: { next: () => value } } });
      rig.append({ term: 2, prev: [1, 1], terms: [2] });
      rig.core.readIndex(1);
      return of(rig.pump(), "readIndex")[0]?.context;
    });
    expect(new Set(numbers).size).toBe(2);
    const rig = new Rig();
    rig.append({ term: 2, prev: [1, 1], terms: [2] });
    rig.core.readIndex(1);
    const [request] = of(rig.pump(), "readIndex");
    const answer = { type: "readIndexAnswer", from: 2, to: 1, term: 2, index: 2 } as const;
    rig.core.step({ ...answer, context: 1 });
    expect(rig.core.ready()).toBeUndefined();
    rig.core.step({ ...answer, context: request?.context ?? 0 });
    expect(rig.core.ready()?.reads).toEqual([{ context: 1, index: 2 }]);
    rig.core.step({ ...answer, context: request?.context ?? 0 });
    expect(rig.core.ready()).toBeUndefined();
  });
});

describe("membership", () => {
  test("two leaders appending membership changes without a committed entry of their own term", () => {
    const rig = new Rig({ terms: [1, 1], hardState: { commit: 3 } });
    rig.pump();
    rig.core.appliedTo(3);
    rig.lead();
    const changes: MemberChange[] = [{ type: "remove", id: 3 }];
    expect(rig.core.proposeConfiguration({ changes })).toMatchObject({ reason: "pendingChange" });
  });

  test("uncommitted configuration overwritten by a new leader not reverted", () => {
    const cluster = new Cluster([1, 2, 3]);
    const { core } = cluster.elect(1);
    cluster.isolate(1);
    expect(core.proposeConfiguration({ changes: [{ type: "remove", id: 2 }] }).ok).toBe(true);
    cluster.settle();
    for (let i = 0; i < 10; i++) for (const id of [2, 3]) cluster.at(id).core.tick();
    cluster.settle();
    cluster.elect(2);
    cluster.heal();
    cluster.tick(3);
    for (const id of [1, 2, 3]) expect(cluster.at(id).core.configuration.voters).toEqual([1, 2, 3]);
  });

  test("removed leader counts itself", () => {
    const cluster = new Cluster([1, 2, 3]);
    const { core } = cluster.elect(1);
    core.proposeConfiguration({ changes: [{ type: "remove", id: 1 }] });
    // The change is committed with 2; then 2 and 3 do not answer any more.
    cluster.lose = (message) =>
      message.to === 1 && message.type === "appendAnswer" && core.commit > 2;
    cluster.settle();
    const { commit } = core;
    expect(core.configuration.voters).toEqual([2, 3]);
    cluster.lose = (message) => message.from === 3 || message.to === 3;
    cluster.tick(2);
    expect(core.lastIndex).toBeGreaterThan(commit);
    expect(core.commit).toBe(commit);
  });

  test("removed node disrupts with higher terms", () => {
    const cluster = new Cluster([1, 2, 3]);
    const { core } = cluster.elect(1);
    cluster.isolate(3);
    core.proposeConfiguration({ changes: [{ type: "remove", id: 3 }] });
    cluster.settle();
    cluster.heal();
    const vote = {
      type: "vote",
      from: 3,
      term: 99,
      lastIndex: 99,
      lastTerm: 98,
      force: true,
    } as const;
    const answer = { type: "heartbeatAnswer", from: 3, term: 99, context: 0 } as const;
    for (const to of [1, 2]) {
      cluster.at(to).core.step({ ...vote, to });
      cluster.at(to).core.step({ ...answer, to });
      expect(cluster.at(to).core.term).toBe(2);
    }
    expect(cluster.leaders).toEqual([1]);
  });

  test("learner refuses to vote after promotion", () => {
    const rig = new Rig({ id: 3, configuration: configurationOf([1, 2], [3]) });
    const answers = rig.askVote({ from: 2, term: 2, last: [1, 1] });
    expect(of(answers, "voteAnswer")).toMatchObject([{ granted: true }]);
  });

  test("wiped disk rejoins under its old id: ids are not given again", () => {
    const cluster = new Cluster([1, 2, 3]);
    const { core } = cluster.elect(1);
    core.proposeConfiguration({ changes: [{ type: "remove", id: 3 }] });
    cluster.settle();
    for (const type of ["addVoter", "addLearner"] as const) {
      const changes = [{ type, id: 3, node: "n3", disk: 33 }];
      expect(core.proposeConfiguration({ changes })).toMatchObject({
        reason: "invalid",
        message: "id 3 was given before: new ones are above 3",
      });
    }
  });

  test("survivors of a recovery know of different ids, and come to different configurations", () => {
    const change = { changes: [{ type: "addVoter", id: 4, node: "n4", disk: 4 }] } as const;
    const voters = [3, 4].map((highest) => {
      const changed = changeConfiguration({ ...configurationOf([1, 2]), highest }, change);
      return changed.ok ? changed.configuration.voters : changed.message;
    });
    expect(voters).toEqual([
      [1, 2, 4],
      [1, 2, 4],
    ]);
  });

  test("a replica without members takes the changes in the log for the whole configuration", () => {
    const cluster = new Cluster([1, 2, 3]);
    cluster.add(new Replica(4, EMPTY));
    const { core } = cluster.elect(1);
    core.proposeConfiguration({ changes: [{ type: "addVoter", id: 4, node: "n4", disk: 4 }] });
    cluster.settle();
    cluster.tick(3);
    expect(cluster.at(4).core.configuration.voters).toEqual([1, 2, 3, 4]);
  });

  test("two voters wait for each other: the change is committed, and only who can't lead knows", () => {
    const cluster = new Cluster([1, 2]);
    const { core } = cluster.elect(1);
    core.proposeConfiguration({ changes: [{ type: "demote", id: 1 }] });
    cluster.lose = (message: Message) => message.to === 2 && core.commit > 2;
    cluster.settle();
    cluster.at(1).crash();
    cluster.at(1).restart();
    cluster.heal();
    cluster.tick(60);
    expect(cluster.leaders).toEqual([2]);
    expect(cluster.at(1).core.configuration).toEqual(cluster.at(2).core.configuration);
  });

  test("a change is the same after its way through an entry; what follows it is refused", () => {
    const changes: MemberChange[] = [
      { type: "addVoter", id: 7, node: "a node", disk: 2 ** 52 },
      { type: "addLearner", id: 300, node: "", disk: 0 },
      { type: "promote", id: 4 },
      { type: "demote", id: 5 },
      { type: "remove", id: 6 },
    ];
    const bytes = encodeChange({ changes });
    expect(decodeChange(bytes)).toEqual({ changes });
    expect(() => decodeChange(Buffer.concat([bytes, Buffer.of(0)]))).toThrow("too many");
    expect(() => decodeChange(bytes.subarray(0, -1))).toThrow("bytes wanted");
    expect(() => decodeChange(Buffer.of(9, 0))).toThrow("version 9");
  });
});
