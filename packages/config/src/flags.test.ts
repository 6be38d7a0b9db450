import { expect, test } from "vitest";
import { helpText, requestedAction } from "./flags.ts";
import { roles } from "./roles.ts";
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

test("the help of each kind of process names its settings", () => {
  const texts = roles.map((role) => helpText(role));
  for (const key of settingKeys) {
    const isNamed = new RegExp(`\\n  ${key.replaceAll(".", "\\.")}( |\\n)`);
    expect(texts.filter((text) => isNamed.test(text))).not.toEqual([]);
  }
  expect(helpText("store")).not.toContain("--listen");
  expect(helpText("standalone")).not.toContain("cluster.nodes");
});
