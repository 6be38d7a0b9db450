import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { scenarios } from "../src/scenarios/index.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "canopy-bench-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/** The benchmark as a process, with its temporary folders where they can be seen. */
function bench(...args: readonly string[]): Promise<Outcome> {
  return benchIn({}, ...args);
}

function benchIn(env: Record<string, string>, ...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--conditions=source", main, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: folder, ...env },
    });
    let output = "";
    const add = (text: Buffer): void => {
      output += text.toString();
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
    child.on("close", (code) => resolve({ code, output }));
  });
}

test("every scenario runs, nothing is lost, and nothing is left behind", {
  timeout: 240_000,
}, async () => {
  const json = join(folder, "result.json");
  const { code, output } = await bench(
    "--quick",
    "--seconds",
    "0.5",
    "--brokers",
    "canopy",
    "--json",
    json,
  );
  if (code !== 0) throw new Error(output);
  const { results } = JSON.parse(await readFile(json, "utf8"));
  expect(results.length).toBeGreaterThan(scenarios.length);
  for (const { row } of results) expect(row).toMatchObject({ faults: "" });
  expect(await readdir(folder)).toEqual(["result.json"]);
});

const SHORT = ["--quick", "--seconds", "0.3", "--warmup", "0.1"];

test("fairness runs, and nothing is lost", { timeout: 120_000 }, async () => {
  const { code, output } = await bench("fairness", ...SHORT, "--max", "10000");
  if (code !== 0) throw new Error(output);
  expect(output).toContain("caught up");
});

test("growth runs, and draws; what it keeps gives the same drawing again", {
  timeout: 240_000,
}, async () => {
  const [svg, json, again] = ["a.svg", "a.json", "b.svg"].map((name) => join(folder, name));
  const keep = ["--svg", String(svg), "--json", String(json)];
  const { code, output } = await bench("growth", ...SHORT, "--max", "1000", ...keep);
  if (code !== 0) throw new Error(output);
  const drawn = await readFile(String(svg), "utf8");
  expect(drawn).toContain("offline sessions");
  const second = await bench("growth", "--from", String(json), "--svg", String(again));
  if (second.code !== 0) throw new Error(second.output);
  expect(await readFile(String(again), "utf8")).toBe(drawn);
});

test("what cannot be done is refused in a line, before anything is measured", async () => {
  for (const args of [
    ["--scenario", "no"],
    ["fairness", "--scenario", "no"],
    ["growth", "--scenario", "no"],
    ["--brokers", "no"],
    ["--tree", folder],
    ["--json", join(folder, "no", "x.json")],
    ["growth", "--svg", join(folder, "no", "x.svg")],
    ["--svg", join(folder, "x.svg")],
    ["--no"],
    ["no"],
  ]) {
    const { code, output } = await bench(...args);
    expect({ args, code }).toEqual({ args, code: 2 });
    expect(output).toMatch(/^bench: .+\n\(--help says what there is\)\n$/);
  }
}, 60_000);

test("each command lists its scenarios", async () => {
  const { code, output } = await bench("fairness", "--scenario", "list");
  expect({ code, output }).toEqual({
    code: 0,
    output: "publisher0\npublisher1\nfanout\ncatchup\n",
  });
});

test("a guard that has nothing to compare with says so, which is no failure", async () => {
  // a repository without a commit, as a clone of the last one alone has none before it
  const repository = join(folder, "no-commits");
  execFileSync("git", ["init", "--quiet", "--bare", repository]);
  const { code, output } = await benchIn({ GIT_DIR: repository, GIT_WORK_TREE: "." }, "guard");
  await rm(repository, { recursive: true });
  expect(output).toContain("SKIPPED");
  expect(code).toBe(3);
}, 60_000);

test("a guard is given a commit that is not there: that is refused", async () => {
  const { code, output } = await bench("guard", "--base", "no-such-commit");
  expect(output).toContain("no-such-commit");
  expect(code).toBe(2);
}, 60_000);
