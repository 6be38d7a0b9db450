import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";

/** Which processor cores the broker and the generators run on. */
export interface Cores {
  /** In the form that taskset takes; undefined: not pinned. */
  readonly broker: string | undefined;
  readonly generator: string | undefined;
  readonly generatorCount: number;
}

/** The broker on the first core, the generators on the others. */
export function defaultCores(
  count: number = availableParallelism(),
  canPin: boolean = hasTaskset(),
): Cores {
  if (count < 2 || !canPin) {
    return { broker: undefined, generator: undefined, generatorCount: Math.max(1, count - 1) };
  }
  return { broker: "0", generator: `1-${count - 1}`, generatorCount: count - 1 };
}

function hasTaskset(): boolean {
  return spawnSync("taskset", ["--version"]).error === undefined;
}
