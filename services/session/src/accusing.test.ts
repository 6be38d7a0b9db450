import { FakeTime } from "@canopy/testkit";
import { expect, test } from "vitest";
import { Harness, openRequest, releaseOf } from "../test/harness.ts";
import { Accusing } from "./accusing.ts";

function start(gateways: number) {
  const clock = new FakeTime();
  const reported: number[] = [];
  const tried: boolean[] = [];
  const answers = [true];
  const accusing = new Accusing({
    clock,
    gateways: () => gateways,
    report: (gateway) => reported.push(gateway),
    giveUp: () => {
      const given = answers.shift() ?? false;
      tried.push(given);
      return given;
    },
  });
  return { clock, accusing, reported, tried };
}

test("one gateway of several is reported, and the only one too", () => {
  for (const gateways of [1, 4]) {
    const { accusing, reported, tried } = start(gateways);
    accusing.note(7);
    accusing.note(7);
    expect(reported).toEqual([7, 7]);
    expect(tried).toEqual([]);
  }
});

test("a leader that misses most gateways lets another lead; where that does not help they are reported", () => {
  const { accusing, reported, tried } = start(3);
  accusing.note(7);
  accusing.note(8);
  expect(reported).toEqual([7]);
  accusing.note(8);
  expect(reported).toEqual([7, 8]);
  expect(tried).toEqual([true, false]);
});

test("what is long ago does not count", () => {
  const { clock, accusing, reported, tried } = start(3);
  accusing.note(7);
  clock.advance(1_500);
  accusing.note(8);
  expect(reported).toEqual([7, 8]);
  expect(tried).toEqual([]);
});

test("an owner that doesn't answer is reported for as long as it does not, and no other", async () => {
  const accused: number[] = [];
  const h = await Harness.start({ accuse: (gateway) => accused.push(gateway) });
  const [owner, other] = [await h.attach(), await h.attach()];
  const opened = await h.sessions.open(openRequest(owner));
  const claim = h.sessions.open(openRequest(other));
  h.time.advance(4_900);
  expect(accused).toEqual([]);
  h.time.advance(2_100);
  expect(accused).toEqual([owner, owner, owner]);
  await h.sessions.release(releaseOf(opened));
  const again = await claim;
  h.time.advance(10_000);
  expect(accused).toHaveLength(3);
  const next = h.sessions.open(openRequest(owner));
  h.time.advance(4_000);
  expect(accused).toHaveLength(3);
  await h.sessions.release(releaseOf(again));
  await next;
});
