import { FakeTime } from "@canopy/testkit";
import { expect, test } from "vitest";
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
