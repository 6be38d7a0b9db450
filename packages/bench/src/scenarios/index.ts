import { backlog } from "./backlog.ts";
import { connectStorm, idleMemory } from "./connections.ts";
import { latency } from "./latency.ts";
import type { Scenario } from "./scenario.ts";
import { steadyScenarios } from "./steady.ts";

export const scenarios: readonly Scenario[] = [
  ...steadyScenarios,
  backlog,
  latency,
  connectStorm,
  idleMemory,
];
