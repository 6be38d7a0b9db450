/** Runs seeds that the main thread hands out, one at a time. */
import { parentPort } from "node:worker_threads";
import { type RunResult, runSeed } from "./run.ts";

parentPort?.on("message", (seed: number) => {
  void runSeed(seed).then((result: RunResult) => parentPort?.postMessage(result));
});
