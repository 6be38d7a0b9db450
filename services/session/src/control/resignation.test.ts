import { silentLogger } from "@canopy/base";
import type { GroupStatus, MembersAnswer, RaftGroup } from "@canopy/raft";
import { FakeTime } from "@canopy/testkit";
import { expect, test } from "vitest";
import { Resignation } from "./resignation.ts";

const LEASE = 3_000;

function start(members: GroupStatus["members"]) {
  const time = new FakeTime({ now: 1 });
  const asked: number[] = [];
  let answer = Promise.withResolvers<MembersAnswer>();
  const status = {
    replica: 1,
    configuration: { voters: [1, 2, 3] },
    members,
  } as unknown as GroupStatus;
  const group = {
    status,
    transferLeadership: (to: number) => {
      asked.push(to);
      answer = Promise.withResolvers();
      return answer.promise;
    },
  } as unknown as RaftGroup;
  const resignation = new Resignation(time, silentLogger, LEASE);
  return {
    time,
    asked,
    resign: () => resignation.resign(group),
    answered: async () => {
      answer.resolve({ type: "unavailable", message: "no answer" });
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const member = (id: number, match: number, active = true) => ({ id, match, active });

test("the leadership goes to the farthest voter that answers, and nobody is ended until that is decided", async () => {
  const { asked, resign, answered } = start([
    member(1, 9),
    member(2, 7),
    member(3, 8, false),
    member(4, 9),
  ]);
  expect([resign(), resign(), resign()]).toEqual([true, true, true]);
  expect(asked).toEqual([2]);
  await answered();
  expect(resign(), "it has failed, so this leader does what has to be done").toBe(false);
  expect(asked).toEqual([2]);
});

test("it is tried again only after a long time", async () => {
  const { time, asked, resign, answered } = start([member(1, 9), member(2, 7), member(3, 8)]);
  expect(resign()).toBe(true);
  await answered();
  time.advance(10 * LEASE - 1);
  expect(resign()).toBe(false);
  time.advance(1);
  expect(resign()).toBe(true);
  expect(asked).toEqual([3, 3]);
});

test("where nobody else can lead it does not resign", () => {
  expect(start([member(1, 9)]).resign()).toBe(false);
  expect(start([]).resign()).toBe(false);
});
