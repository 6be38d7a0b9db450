import type { Role } from "./roles.ts";
import type { Config } from "./schema.ts";
import { settings } from "./settings.ts";

/**
 * What a process of the cluster is told, as a configuration file has it, where it is a part of what this
 * configuration of the standalone broker describes: the settings that both have.
 */
export function settingsFor(
  config: Config,
  role: Exclude<Role, "standalone">,
): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const { key, roles } of settings) {
    if (!roles.includes("standalone") || !roles.includes(role)) continue;
    const names = key.split(".");
    let from: unknown = config;
    for (const name of names) from = (from as Record<string, unknown>)[name];
    if (from === undefined) continue;
    const last = names.pop() as string;
    let table = root;
    for (const name of names) table = (table[name] ??= {}) as Record<string, unknown>;
    table[last] = plain(from);
  }
  return root;
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return Object.fromEntries(value);
  // a parsed address says how it was written
  return typeof value === "object" && value !== null && "text" in value ? value.text : value;
}
