/** Worker threads that run seeds until there are no more, or one fails. */
import { Worker } from "node:worker_threads";
import type { RunResult } from "./run.ts";

export interface PoolOptions {
  readonly workers: number;
  /** Undefined when there are no more. */
  readonly next: () => number | undefined;
  readonly onResult: (result: RunResult) => void;
}

/** The first that failed; undefined if all went well. */
export async function runSeeds(options: PoolOptions): Promise<RunResult | undefined> {
  const state: { failed: RunResult | undefined } = { failed: undefined };
  const workers = Array.from({ length: options.workers }, () => runWorker(options, state));
  await Promise.all(workers);
  return state.failed;
}

/** A seed that takes longer, in real ms, counts as failed: no honest one does, also beside other work. */
const PATIENCE = 120_000;

function runWorker(options: PoolOptions, state: { failed: RunResult | undefined }): Promise<void> {
  const { next, onResult } = options;
  const worker = new Worker(new URL("./worker.ts", import.meta.url));
  let seed = next();
  let timer: NodeJS.Timeout | undefined;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      worker.terminate().then(() => resolve(), reject);
    };
    const fail = (invariant: string, message: string): void => {
      state.failed ??= { ...NOTHING, seed: seed ?? 0, failure: { invariant, message } };
      end();
    };
    const give = (): void => {
      clearTimeout(timer);
      if (seed === undefined || state.failed !== undefined) return end();
      timer = setTimeout(() => fail("a seed ends", `seed ${seed} did not end`), PATIENCE);
      worker.postMessage(seed);
    };
    worker.on("message", (result: RunResult) => {
      onResult(result);
      if (result.failure !== undefined) state.failed ??= result;
      seed = next();
      give();
    });
    worker.on("error", (error) => {
      fail("no unexpected errors", error instanceof Error ? String(error.stack) : String(error));
    });
    give();
  });
}

const NOTHING = {
  hash: 0,
  counts: {},
  faults: {},
  simulated: 0,
  lines: [],
} satisfies Partial<RunResult>;
