/** The process of `seeds-process.ts`: runs the seeds that it is sent until one fails, and tells of each. */
import { applyMutant } from "./hook.ts";
import type { Told, Work } from "./seeds-process.ts";

let seed: number | undefined;

function tell(told: Told): void {
  process.send?.(told);
}

async function work({ mutant, withBug, first, last }: Work): Promise<void> {
  if (withBug) applyMutant(mutant);
  const { runSeed } = await import("../run.ts");
  for (seed = first; seed <= last; seed++) {
    const { failure } = await runSeed(seed, 0, mutant.aim);
    tell({ type: "ran", seed, invariant: failure?.invariant });
    if (failure !== undefined) return;
  }
}

function failed(error: unknown): void {
  const why = error instanceof Error ? error.message : String(error);
  // Before the first seed the sources could not be loaded, which shows nothing.
  if (seed === undefined) tell({ type: "notApplied", why });
  else tell({ type: "ran", seed, invariant: "no unexpected errors" });
  process.disconnect();
}

process.on("uncaughtException", failed);
process.on("disconnect", () => process.exit());
process.once("message", (asked: Work) => {
  work(asked).then(() => process.disconnect(), failed);
});
