import { expect, test } from "vitest";
import { readOptions, UsageError } from "./options.ts";

test("what is usual", () => {
  expect(readOptions([])).toMatchObject({
    command: "run",
    scenarios: [],
    brokers: undefined,
    warmup: 2,
    seconds: 4,
    repeat: 3,
  });
});

test("lists, numbers and commands", () => {
  const flags = ["--scenario", "qos0,qos1", "--scenario", "idle", "--brokers", "aedes,canopy"];
  expect(readOptions(["growth", ...flags, "--max", "1000"])).toMatchObject({
    command: "growth",
    scenarios: ["qos0", "qos1", "idle"],
    brokers: ["aedes", "canopy"],
    max: 1000,
  });
});

test("quick is shorter, unless it is told otherwise", () => {
  expect(readOptions(["--quick", "--seconds", "3"])).toMatchObject({
    warmup: 0.5,
    seconds: 3,
    repeat: 1,
  });
});

test.each([[["--seconds", "0"]], [["--brokers", "no"]], [["run", "growth"]], [["--no"]]])(
  "%j is refused",
  (argv) => {
    expect(() => readOptions(argv)).toThrow(UsageError);
  },
);

test("help", () => {
  expect(readOptions(["--help"])).toBeUndefined();
});
