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
  expect(readOptions(["fairness", ...flags, "--max", "1000"])).toMatchObject({
    command: "fairness",
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

test.each([
  [["--seconds", "0"]],
  [["--seconds", "Infinity"]],
  [["--repeat", "1.5"]],
  [["--generators", "2.5"]],
  [["growth", "--max", "1e3.5"]],
  [["--brokers", "no"]],
  [["growth", "--brokers", "canopy,aedes"]],
  [["--tree", ".", "--brokers", "aedes"]],
  [["run", "growth"]],
  [["no"]],
  [["--no"]],
])("%j is refused", (argv) => {
  expect(() => readOptions(argv)).toThrow(UsageError);
});

test.each([
  ["run", "--svg"],
  ["run", "--max"],
  ["run", "--base"],
  ["run", "--from"],
  ["fairness", "--generators"],
  ["fairness", "--svg"],
  ["growth", "--repeat"],
  ["growth", "--base"],
  ["guard", "--scenario"],
  ["guard", "--brokers"],
  ["guard", "--seconds"],
  ["guard", "--tree"],
])("%s %s would do nothing: it is refused, with what would do something", (command, flag) => {
  expect(() => readOptions([command, flag, "1"])).toThrow(
    new RegExp(`^${flag} does nothing in ${command}, which takes .*--json`),
  );
});

test("drawing earlier results takes nothing but where they are and where to draw", () => {
  const draw = ["growth", "--from", "a.json,b.json"];
  expect(readOptions([...draw, "--svg", "c.svg"])).toMatchObject({
    from: ["a.json", "b.json"],
    svg: "c.svg",
  });
  expect(() => readOptions(draw)).toThrow(/--svg/);
  expect(() => readOptions([...draw, "--svg", "c.svg", "--seconds", "1"])).toThrow(
    /does nothing in growth --from/,
  );
});

test.each(["--help", "-h"])("%s is help", (flag) => {
  expect(readOptions(["guard", flag])).toBeUndefined();
});
