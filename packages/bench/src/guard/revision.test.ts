import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UsageError } from "../options.ts";
import { baseCommit, hasChangedSince } from "./revision.ts";

const BROKERS = ["package.json", "scripts/bootstrap.mjs", "services/standalone/src/main.ts"];
const OTHERS = ["README.md", "packages/bench/src/main.ts", "packages/codec/src/codec.test.ts"];

let tree = "";
const put = (file: string, text: string): void => {
  mkdirSync(dirname(join(tree, file)), { recursive: true });
  writeFileSync(join(tree, file), text);
};
const git = (...args: readonly string[]): void => {
  const who = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
  const rest = ["-c", "commit.gpgsign=false", ...args];
  execFileSync("git", [...who, ...rest], { cwd: tree, stdio: "ignore" });
};

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "canopy-revision-test-"));
  for (const file of [...BROKERS, ...OTHERS]) put(file, "before");
  git("init");
  git("add", ".");
  git("commit", "-m", "before");
});
afterEach(() => rmSync(tree, { recursive: true }));

test.each(BROKERS)("a change of %s is one of the broker", (file) => {
  put(file, "after");
  expect(hasChangedSince("HEAD", tree)).toBe(true);
});

test.each(OTHERS)("a change of %s is none of the broker", (file) => {
  put(file, "after");
  expect(hasChangedSince("HEAD", tree)).toBe(false);
});

test("a base that is named and is not there is a mistake, and no reason to skip", () => {
  expect(() => baseCommit("no-such-revision")).toThrow(UsageError);
});
