import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EntryKind, openStorage } from "@canopy/raft";
import { Child, tempDir } from "@canopy/testkit";
import { expect, test } from "vitest";

const main = join(dirname(fileURLToPath(import.meta.url)), "..", "src", "main.ts");

function run(...args: string[]): Child {
  const path = process.env["PATH"] ?? "";
  return new Child({
    command: process.execPath,
    args: ["--conditions=source", main, "raft", ...args],
    env: { PATH: path },
  });
}

async function folder(): Promise<string> {
  const directory = await tempDir();
  const storage = openStorage({ directory });
  await storage.start();
  const nodes = new Map([1, 2, 3].map((id) => [id, { name: `node-${id}`, disk: 70 + id }]));
  const none = { outgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const configuration = { ...none, voters: [1, 2, 3], highest: 3, nodes };
  await storage.create(0, 2, { index: 0, term: 0, configuration });
  const entries = [{ index: 1, term: 4, kind: EntryKind.Command, data: Buffer.from("x") }];
  const hardState = { term: 4, vote: 2, commit: 0 };
  await new Promise<void>((resolve) => {
    storage.write({ group: 0, hardState, entries, snapshot: undefined }, resolve);
  });
  await storage.stop();
  return directory;
}

test("canopy raft inspect prints a folder", async () => {
  const child = run("inspect", await folder());
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(child.stdout).toContain("group 0: replica 2");
  expect(child.stdout).toContain("  term 4, vote 2, commit 0");
});

test("canopy raft recover asks for --yes, warns, and makes the survivor the only voter", async () => {
  const directory = await folder();
  const recover = ["recover", directory, "--group", "0", "--keep", "2"];
  const asked = run(...recover);
  expect(await asked.exited).toEqual({ code: 2, signal: null });
  expect(asked.stderr.join("\n")).toMatch(/WARNING.*say --yes/s);
  const done = run(...recover, "--yes");
  expect(await done.exited).toEqual({ code: 0, signal: null });
  expect(done.stdout).toEqual(["group 0: voters are 2, term 5"]);
  expect(done.stderr.join("\n")).toContain("data may be lost");
  const after = run("inspect", directory);
  await after.exited;
  expect(after.stdout.join("\n")).toMatch(/term 5, vote 0, .*voters 2, highest id 3/s);
});

test("without a command there is the usage, with exit code 2", async () => {
  const child = run();
  expect(await child.exited).toEqual({ code: 2, signal: null });
  expect(child.stderr.join("\n")).toContain("Usage: canopy raft inspect");
});
