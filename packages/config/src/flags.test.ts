import { expect, test } from "vitest";
import { helpText, requestedAction } from "./flags.ts";
import { settingKeys } from "./settings.ts";

test.each([
  [[], "run"],
  [["--listen", "tcp://127.0.0.1:1"], "run"],
  [["--version"], "version"],
  [["-h"], "help"],
  [["--nonsense", "--help", "--version"], "help"],
])("%j asks for %s", (argv, action) => {
  expect(requestedAction(argv)).toBe(action);
});

test("the help names every setting", () => {
  for (const key of settingKeys) expect(helpText()).toContain(`  ${key}`);
});
