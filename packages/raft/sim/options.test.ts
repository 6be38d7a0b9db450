import { expect, test } from "vitest";
import { mutantsOptions, simOptions, UsageError } from "./options.ts";

test("what the simulation is asked for", () => {
  expect(simOptions([])).toMatchObject({ seeds: { first: 1, last: 1000 }, trace: false });
  expect(simOptions(["--", "--seeds", "5..7", "--workers", "2"])).toMatchObject({
    seeds: { first: 5, last: 7 },
    workers: 2,
  });
  expect(simOptions(["--seeds", "5"])).toMatchObject({ seeds: { first: 5, last: 5 } });
  expect(simOptions(["--seconds", "180"])).toMatchObject({ seconds: 180 });
  expect(simOptions(["--seed", "0", "--trace", "--lines", "9"])).toMatchObject({
    seed: 0,
    trace: true,
    lines: 9,
  });
});

test.each([
  "--seeds abc",
  "--seeds 5..1",
  "--seeds 1..",
  "--seeds 1..3x",
  "--seconds abc",
  "--seconds 0",
  "--seed 1.5",
  "--seed",
  "--seed 7 --lines x",
  "--workers 0",
  "--workers x",
  "--sedes 1..2",
  "1..1000",
  "--seeds 1..2 --seconds 3",
  "--seeds 1..2 --trace",
])("the simulation refuses %s: it would run nothing, or something else", (line) => {
  expect(() => simOptions(line.split(" "))).toThrow(UsageError);
});

test("the mutants do as well", () => {
  expect(mutantsOptions(["--only", "vote", "--seeds", "9"])).toMatchObject({
    only: "vote",
    seeds: 9,
  });
  for (const line of ["--seeds abc", "--seeds 0", "--workers 0", "--bogus", "vote"]) {
    expect(() => mutantsOptions(line.split(" "))).toThrow(UsageError);
  }
});
