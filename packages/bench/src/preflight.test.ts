import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UsageError } from "./options.ts";
import {
  requireBrokers,
  requireLinux,
  requireScenarios,
  requireTree,
  requireWritable,
} from "./preflight.ts";
import { root } from "./temp-folder.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "canopy-preflight-test-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("it runs on Linux only", () => {
  expect(() => requireLinux("darwin")).toThrow(/Linux only; this is darwin/);
  expect(() => requireLinux("linux")).not.toThrow();
});

test("a broker that was asked for must be installed; one of the usual ones may be missing", () => {
  const isHere = (name: string): boolean => name !== "mosquitto";
  expect(() => requireBrokers(["canopy", "mosquitto"], isHere)).toThrow(/install/);
  expect(() => requireBrokers(["canopy", "aedes"], isHere)).not.toThrow();
  expect(() => requireBrokers(undefined, isHere)).not.toThrow();
});

test.each(["run", "fairness", "growth"] as const)("%s knows its scenarios", (command) => {
  const scenarios = ["no"];
  expect(() => requireScenarios({ command, scenarios, brokers: undefined })).toThrow(
    /no scenario "no"; there are: /,
  );
});

test("a scenario that none of the brokers can do is refused, if it was asked for", () => {
  const ask = { command: "run", scenarios: ["shared1"] } as const;
  expect(() => requireScenarios({ ...ask, brokers: ["aedes"] })).toThrow(UsageError);
  expect(() => requireScenarios({ ...ask, brokers: ["canopy", "aedes"] })).not.toThrow();
  expect(() => requireScenarios({ ...ask, scenarios: [], brokers: ["aedes"] })).not.toThrow();
});

test("a tree must have a broker, a way to start it, and its dependencies", async () => {
  expect(() => requireTree(folder)).toThrow(/no broker/);
  await mkdir(join(folder, "services", "standalone", "src"), { recursive: true });
  await writeFile(join(folder, "services", "standalone", "src", "main.ts"), "");
  await writeFile(join(folder, "package.json"), '{ "scripts": { "start": "no" } }');
  expect(() => requireTree(folder)).toThrow(/how to start/);
  const start = "x node --y=1 services/standalone/src/main.ts";
  await writeFile(join(folder, "package.json"), JSON.stringify({ scripts: { start } }));
  expect(() => requireTree(folder)).toThrow(/no dependencies/);
  expect(() => requireTree(root)).not.toThrow();
});

test("a file must be one that can be written, and is not made yet", async () => {
  await writeFile(join(folder, "old.json"), "");
  for (const wrong of [join(folder, "no", "x.json"), folder, join(folder, "old.json", "x.json")]) {
    await expect(requireWritable("json", wrong)).rejects.toThrow(UsageError);
  }
  await requireWritable("json", join(folder, "new.json"));
  await requireWritable("json", join(folder, "old.json"));
  await requireWritable("json", undefined);
  expect(await readdir(folder)).toEqual(["old.json"]);
});
