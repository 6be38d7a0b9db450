import { expect, test } from "vitest";
import { hunt } from "./hunt.ts";
import type { Mutant } from "./mutant.ts";
import type { Outcome, Work } from "./seeds-process.ts";

/** In a file that every seed loads. */
const PLACE = { file: "core/quorum.ts", find: "export function isJoint(" };

function mutant(before: string): Mutant {
  return { name: "a bug", ...PLACE, replace: `${before}\nexport function isJoint(` };
}

/** `seeds end-why`, and what was noted. */
async function hunted(bug: Mutant, run?: (work: Work) => Promise<Outcome>): Promise<string[]> {
  const notes: string[] = [];
  const { end, seeds, why } = await hunt(bug, 3, (line) => notes.push(line), run);
  return [`${end} ${seeds} ${why}`.trim(), ...notes];
}

/** Answers by the script, one after the other; what is not asked for is left. */
function scripted(outcomes: Outcome[], asked: string[] = []): (work: Work) => Promise<Outcome> {
  return ({ withBug, first, last }) => {
    asked.push(`${withBug ? "bug" : "clean"} ${first}..${last}`);
    const next = outcomes.shift();
    return next ? Promise.resolve(next) : Promise.reject(new Error("asked once too often"));
  };
}

const failed = (seed: number): Outcome => ({ type: "failed", seed, invariant: "one leader" });
const died = (seed: number): Outcome => ({ type: "died", seed, why: "SIGABRT" });
const passed: Outcome = { type: "passed" };

test("a change that changes nothing lives", async () => {
  expect(await hunted(mutant(""))).toEqual(["LIVES 3"]);
}, 60_000);

test("what fails with the bug, and not without it, is caught", async () => {
  // By what it does, not when it is loaded.
  const bug = { ...mutant(""), file: "core/vote.ts", find: "const granted = may &&" };
  const found = await hunted({ ...bug, replace: "const granted = may ||" });
  expect(found).toEqual([expect.stringMatching(/^caught [123] [a-z]/)]);
}, 60_000);

test("a text that is not in the sources is not applied, and not caught", async () => {
  const gone = { ...mutant(""), find: "there is no such text" };
  expect(await hunted(gone)).toEqual([expect.stringMatching(/^not applied 0 core.*0 times/)]);
}, 60_000);

test("sources that can't be loaded with it are not caught either", async () => {
  expect(await hunted(mutant("const = 1;"))).toEqual([expect.stringMatching(/^not applied 0 /)]);
}, 60_000);

test("a process that dies is run again once, and then it has died", async () => {
  const dies = mutant('process.kill(process.pid, "SIGKILL");\nwhile (true);');
  expect(await hunted(dies)).toEqual([
    expect.stringMatching(/^died 1 SIGKILL/),
    expect.stringContaining("died in seed 1, and is run again"),
  ]);
}, 60_000);

test("it goes on in the seed in which it died", async () => {
  const asked: string[] = [];
  const [verdict] = await hunted(
    mutant(""),
    scripted([died(2), failed(3), died(3), passed], asked),
  );
  expect(verdict).toBe("caught 3 one leader");
  expect(asked).toEqual(["bug 1..3", "bug 2..3", "clean 3..3", "clean 3..3"]);
});

test("who dies twice without the bug has shown nothing", async () => {
  const run = scripted([failed(2), died(2), died(2)]);
  expect((await hunted(mutant(""), run))[0]).toBe("died 2 SIGABRT");
});

test("a seed that fails without the bug too is passed over", async () => {
  const asked: string[] = [];
  const [verdict] = await hunted(mutant(""), scripted([failed(1), failed(1), passed], asked));
  expect(verdict).toBe("LIVES 3");
  expect(asked).toEqual(["bug 1..3", "clean 1..1", "bug 2..3"]);
});
