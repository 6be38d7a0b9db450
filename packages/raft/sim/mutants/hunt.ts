/** Whether the simulation catches a bug, and after how many seeds. */
import type { Mutant } from "./mutant.ts";
import { type Outcome, runInProcess, type Work } from "./seeds-process.ts";

export interface Verdict {
  readonly mutant: Mutant;
  readonly end: "caught" | "LIVES" | "not applied" | "died";
  readonly seeds: number;
  /** The invariant that caught it, or why there is no such. */
  readonly why: string;
}

/** `note`: what is odd meanwhile. */
export async function hunt(
  mutant: Mutant,
  last: number,
  note: (line: string) => void,
  run: (work: Work) => Promise<Outcome> = runInProcess,
): Promise<Verdict> {
  const runTwice = (work: Work): Promise<Outcome> => onceMore(work, note, run);
  for (let first = 1; ; ) {
    const outcome = await runTwice({ mutant, withBug: true, first, last });
    const seeds = "seed" in outcome ? outcome.seed : outcome.type === "passed" ? last : 0;
    if (outcome.type === "passed") return { mutant, end: "LIVES", seeds, why: "" };
    if (outcome.type !== "failed")
      return { mutant, end: END[outcome.type], seeds, why: outcome.why };
    // What fails without the bug as well shows nothing.
    const clean = await runTwice({ mutant, withBug: false, first: seeds, last: seeds });
    if (clean.type === "passed") return { mutant, end: "caught", seeds, why: outcome.invariant };
    if (clean.type !== "failed") return { mutant, end: END[clean.type], seeds, why: clean.why };
    note(`seed ${seeds} fails also without "${mutant.name}": ${clean.invariant}`);
    first = seeds + 1;
  }
}

const END = { notApplied: "not applied", died: "died" } as const;

/** Node itself crashes now and then; who dies is run again once, from the seed in which it died. */
async function onceMore(
  work: Work,
  note: (line: string) => void,
  run: (work: Work) => Promise<Outcome>,
): Promise<Outcome> {
  const outcome = await run(work);
  if (outcome.type !== "died") return outcome;
  note(`"${work.mutant.name}" died in seed ${outcome.seed}, and is run again: ${outcome.why}`);
  return run({ ...work, first: outcome.seed });
}
