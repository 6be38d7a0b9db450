import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Which processor cores the broker and the generators run on. */
export interface Cores {
  /** In the form that taskset takes; undefined: not pinned. */
  readonly broker: string | undefined;
  /** For the processes of a cluster that are no gateways; undefined: no cluster is measured, or not pinned. */
  readonly others: string | undefined;
  readonly generator: string | undefined;
  readonly generatorCount: number;
}

/** The broker on the first of these cores, the generators on the others. */
export function divideCores([broker, ...others]: readonly number[]): Cores {
  if (broker === undefined || others.length === 0) {
    return { broker: undefined, others: undefined, generator: undefined, generatorCount: 1 };
  }
  return {
    broker: String(broker),
    others: undefined,
    generator: others.join(","),
    generatorCount: others.length,
  };
}

/** A core between those: for what a cluster has beside its gateway. Others use it when they are few. */
export function withOthers(cores: Cores): Cores {
  const [others, ...generator] = cores.generator?.split(",") ?? [];
  if (others === undefined || generator.length === 0) return { ...cores, others: cores.generator };
  return { ...cores, others, generator: generator.join(","), generatorCount: generator.length };
}

/** The cores that this process may use; nothing is pinned where there is no taskset. */
export function defaultCores(): Cores {
  if (process.platform === "linux" && spawnSync("taskset", ["--version"]).error === undefined) {
    const status = readFileSync("/proc/self/status", "utf8");
    return divideCores(parseCores(/^Cpus_allowed_list:\s+(\S+)$/m.exec(status)?.[1] ?? ""));
  }
  const generatorCount = Math.max(1, availableParallelism() - 1);
  return { broker: undefined, others: undefined, generator: undefined, generatorCount };
}

/** A list such as "0-2,5". */
export function parseCores(list: string): readonly number[] {
  return list.split(",").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number);
    if (part === "" || first === undefined || last === undefined) return [];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
