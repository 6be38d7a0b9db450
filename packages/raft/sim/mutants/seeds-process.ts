/**
 * Seeds in a process of their own: what a bug does to it, up to its death, does nothing to who looks.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Mutant } from "./mutant.ts";

export interface Work {
  readonly mutant: Mutant;
  /** False: the same seeds, on the sources as they are. */
  readonly withBug: boolean;
  readonly first: number;
  readonly last: number;
}

/** What the process says. */
export type Told =
  | { readonly type: "ran"; readonly seed: number; readonly invariant: string | undefined }
  | { readonly type: "notApplied"; readonly why: string };

export type Outcome =
  | { readonly type: "passed" }
  | { readonly type: "failed"; readonly seed: number; readonly invariant: string }
  | { readonly type: "notApplied"; readonly why: string }
  /** In this seed. */
  | { readonly type: "died"; readonly seed: number; readonly why: string };

const CHILD = fileURLToPath(new URL("seeds-child.ts", import.meta.url));
/** Real ms. A bug may make a seed endless. */
const PATIENCE = 60_000;

/** Ends with the first seed that fails. */
export function runInProcess(work: Work): Promise<Outcome> {
  const child = fork(CHILD, {
    execArgv: ["--conditions=source"],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-2_000);
  });
  let seed = work.first;
  let outcome: Outcome | undefined;
  const late = setTimeout(() => {
    outcome ??= { type: "failed", seed, invariant: "a seed ends" };
    child.kill("SIGKILL");
  }, PATIENCE);
  child.on("message", (told: Told) => {
    late.refresh();
    if (told.type === "notApplied") outcome ??= told;
    else if (told.invariant !== undefined) {
      outcome ??= { type: "failed", seed: told.seed, invariant: told.invariant };
    } else seed = told.seed + 1;
  });
  child.send(work);
  return new Promise((resolve) => {
    child.on("error", (error) => {
      stderr += error.message;
    });
    child.once("close", (code, signal) => {
      clearTimeout(late);
      if (seed > work.last) outcome ??= { type: "passed" };
      const why = `${signal ?? code}: ${stderr.trim().split("\n")[0]}`;
      resolve(outcome ?? { type: "died", seed, why });
    });
  });
}
