import { expect, test } from "vitest";
import { readOptions, UsageError } from "./options.ts";

test("what is not given has a default, and -- in front is passed over", () => {
  expect(readOptions(["--", "--minutes", "30", "--seed", "7", "--fault", "kill"])).toEqual({
    target: "cluster",
    minutes: 30,
    seed: 7,
    faults: ["kill"],
    slack: 2,
    defects: false,
  });
});

test("what makes no sense is refused", () => {
  expect(() => readOptions(["--minutes", "0"])).toThrow(UsageError);
  expect(() => readOptions(["--target", "other"])).toThrow("cluster or standalone");
  expect(() => readOptions(["--what"])).toThrow(UsageError);
});
