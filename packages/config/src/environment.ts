import { ConfigError } from "./error.ts";
import { nearest, suggestion } from "./nearest.ts";
import { settings } from "./settings.ts";
import { type GivenValues, give } from "./source.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names the configuration file, like --config. */
export const fileVariable = "CANOPY_CONFIG";

const variables: ReadonlyMap<string, string> = new Map(
  settings.map(({ variable, key }) => [variable, key]),
);
const variableNames: readonly string[] = [...variables.keys(), fileVariable];

/**
 * Notes what the environment sets, and returns warnings. A variable with __ can only be meant for
 * this broker, so an unknown one is an error; without, it may belong to somebody else (Kubernetes
 * sets CANOPY_PORT for a service that is called canopy), so it is a warning.
 */
export function giveEnvironment(values: GivenValues, env: Environment): string[] {
  const warnings: string[] = [];
  for (const [variable, raw] of Object.entries(env)) {
    if (!variable.startsWith("CANOPY_") || raw === undefined || variable === fileVariable) continue;
    const key = variables.get(variable);
    if (key !== undefined) {
      give(values, key, { raw, origin: variable });
    } else if (variable.includes("__")) {
      const hint = suggestion(variable, variableNames);
      throw new ConfigError(`unknown setting ${variable} (environment)${hint}`);
    } else if (nearest(variable, variableNames) !== undefined) {
      warnings.push(`${variable} sets nothing${suggestion(variable, variableNames)}`);
    }
  }
  return warnings;
}
