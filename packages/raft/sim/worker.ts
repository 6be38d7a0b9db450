/** Runs seeds that the main thread hands out, one at a time; with a mutant, on sources with that bug. */
import { parentPort, workerData } from "node:worker_threads";
import type { RunResult } from "./run.ts";

export interface WorkerData {
  readonly mutant?: string;
}

const { mutant } = workerData as WorkerData;
if (mutant !== undefined) {
  const { applyMutant } = await import("./mutants/hook.ts");
  applyMutant(mutant);
}
const { runSeed } = await import("./run.ts");
parentPort?.on("message", (seed: number) => {
  void runSeed(seed).then((result: RunResult) => parentPort?.postMessage(result));
});
