import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { member, node, step, three, World } from "../test/group-world.ts";
import type { GroupMember } from "./group-members.ts";

const dead = { active: false, caughtUp: false };
const threeVoters = [1, 2, 3].map((replica) => member(replica));

describe("a node that joins", () => {
  test("is a learner first, and a voter when it has caught up", () => {
    const nodes = [...three, node(4)];
    expect(step({ nodes, voters: threeVoters })).toEqual({ type: "add", replica: 4, node: "n4" });
    const behind = [member(4, { caughtUp: false })];
    expect(step({ nodes, voters: threeVoters, learners: behind })).toMatchObject({ type: "wait" });
    const learners = [member(4)];
    expect(step({ nodes, voters: threeVoters, learners })).toEqual({ type: "promote", replica: 4 });
  });

  test("and does not answer is waited for, also by those with a higher id", () => {
    const nodes = [...three, node(4), node(5)];
    const unreachable = ["n4"];
    const why = "n4 does not answer";
    expect(step({ nodes, voters: threeVoters, unreachable })).toEqual({ type: "wait", why });
  });

  test("with another disk than it had announced is taken out again", () => {
    const nodes = [...three, node(4)];
    const learners = [member(4, { disk: 99 })];
    expect(step({ nodes, voters: threeVoters, learners })).toEqual({ type: "remove", replica: 4 });
  });

  test("whose id was used up is named, and holds nobody up", () => {
    const nodes = [...three, node(4), node(6)];
    expect(step({ nodes, voters: threeVoters, highest: 5 })).toMatchObject({ replica: 6 });
    expect(step({ nodes: nodes.slice(0, 4), voters: threeVoters, highest: 5 })).toMatchObject({
      type: "wait",
      why: expect.stringContaining("replace n4"),
    });
  });
});

describe("a node that leaves", () => {
  const nodes = [node(1), node(2), node(3, "leaving")];

  test("is taken out when its leadership has gone to another", () => {
    expect(step({ nodes, voters: threeVoters, self: 3 })).toEqual({
      type: "transfer",
      replica: 1,
      urgent: true,
    });
    expect(step({ nodes, voters: threeVoters })).toEqual({ type: "remove", replica: 3 });
  });

  test("stays while the others alone would have no majority that answers", () => {
    const voters = [member(1), member(2, dead), member(3)];
    expect(step({ nodes, voters })).toMatchObject({ type: "wait" });
  });

  test("stays in the control group until it has left all others", () => {
    expect(step({ nodes, voters: threeVoters, mayRemove: false })).toMatchObject({ type: "wait" });
  });

  test("goes after another one has come, one that is dead before", () => {
    const joining = [...nodes, node(4)];
    expect(step({ nodes: joining, voters: threeVoters })).toMatchObject({ type: "add" });
    const voters = [member(1), member(2), member(3, dead)];
    expect(step({ nodes: joining, voters })).toEqual({ type: "remove", replica: 3 });
  });
});

describe("leaders", () => {
  test("are spread evenly, and those of a node that is away over all others", () => {
    const groups = Array.from({ length: 24 }, (_, group) => group);
    const leads = (voters: readonly GroupMember[], nodes = three) =>
      groups.map((group) => {
        let self = 2;
        for (let i = 0; i < 3; i++) {
          const next = step({ nodes, voters, self, group });
          if (next?.type !== "transfer") break;
          self = next.replica;
        }
        return self;
      });
    const counts = (leaders: readonly number[]) =>
      [1, 2, 3].map((replica) => leaders.filter((leader) => leader === replica).length);
    const all = leads(threeVoters);
    expect(counts(all)).toEqual([8, 8, 8]);
    const two = leads([member(1), member(2), member(3, dead)]);
    expect(counts(two)).toEqual([12, 12, 0]);
    const others = groups.filter((group) => all[group] !== 3);
    expect(others.map((group) => two[group])).toEqual(others.map((group) => all[group]));
    expect(counts(leads(threeVoters, [node(1), node(2), node(3, "member", true)]))).toEqual([
      12, 12, 0,
    ]);
  });

  test("stay where they are while a node catches up, but not on one that is drained", () => {
    const learners = [member(4, { caughtUp: false })];
    const nodes = [...three, node(4)];
    expect(step({ nodes, voters: threeVoters, learners, self: 2 })).toMatchObject({ type: "wait" });
    const drained = [node(1), node(2, "member", true), node(3), node(4)];
    expect(step({ nodes: drained, voters: threeVoters, learners, self: 2 })).toEqual({
      type: "transfer",
      replica: 1,
      urgent: true,
    });
  });

  test("stay where all are drained", () => {
    const nodes = [1, 2, 3].map((replica) => node(replica, "member", true));
    expect(step({ nodes, voters: threeVoters, self: 2 })).toBeUndefined();
  });
});

test("nothing is done before it is known who created the cluster", () => {
  expect(step({ nodes: [], voters: threeVoters })).toBeUndefined();
});

/** What happens to one group: nodes come, go and die in any order, and steps are taken or fail. */
test("no step loses the majority or the leader, and in the end the group is as wanted", () => {
  const event = fc.record({
    kind: fc.constantFrom("join", "leave", "replace", "die", "live", "drain", "step", "lag"),
    at: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), fc.nat(7), (events, group) => {
      const world = new World(group);
      for (const { kind, at } of events) world.happen(kind, at);
      world.heal();
      for (let i = 0; i < 60 && world.step(); i++);
      expect(world.voters()).toEqual(world.wanted());
      expect(world.step()).toBe(false);
    }),
    { numRuns: 1_000 },
  );
});
