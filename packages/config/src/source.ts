import { ConfigError, quote } from "./error.ts";
import { suggestion } from "./nearest.ts";
import { findSetting, isSection, type Setting, settingKeys } from "./settings.ts";

/** A value that somebody gave, and where: "canopy.yaml", "CANOPY_DATA", "--data". */
export interface Given {
  readonly raw: unknown;
  readonly origin: string;
}

/** Given values by key. An entry of a map has its own key, so that sources add to each other. */
export type GivenValues = Map<string, Given>;

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function unknownSetting(key: string, origin: string): ConfigError {
  const hint = suggestion(key, settingKeys);
  return new ConfigError(`unknown setting ${key} (${origin})${hint}`, key);
}

/** The entries of a map: a table, or the text "name=value,name=value". */
function entriesOf({ key, allowed }: Setting, { raw, origin }: Given): [string, unknown][] {
  if (isTable(raw)) return Object.entries(raw);
  const pairs = typeof raw === "string" && raw !== "" ? raw.split(",") : [];
  const entries = pairs.map((pair): [string, unknown] => {
    const at = pair.indexOf("=");
    return [pair.slice(0, Math.max(at, 0)).trim(), pair.slice(at + 1).trim()];
  });
  if (typeof raw === "string" && entries.every(([name]) => name !== "")) return entries;
  const form = `name=value,name=value; ${allowed}`;
  throw new ConfigError(`${key}: got ${quote(raw)} (${origin}), allowed: ${form}`, key);
}

/** Notes one given value under its key; one that was noted before is replaced. */
export function give(values: GivenValues, key: string, given: Given): void {
  const setting = findSetting(key);
  if (setting === undefined) {
    if (!isSection(key)) throw unknownSetting(key, given.origin);
    const example = settingKeys.find((each) => each.startsWith(`${key}.`));
    const what = `${key} is a section of settings, such as ${example}`;
    throw new ConfigError(`${key}: got ${quote(given.raw)} (${given.origin}), but ${what}`, key);
  }
  if (!setting.isMap || setting.key !== key) {
    values.set(key, given);
    return;
  }
  for (const [name, raw] of entriesOf(setting, given)) {
    values.set(`${key}.${name}`, { raw, origin: given.origin });
  }
}

/** Notes what a file holds: sections as nested tables, or keys with dots. */
export function giveTable(values: GivenValues, table: unknown, origin: string, prefix = ""): void {
  if (table === null || table === undefined) return;
  if (!isTable(table)) throw new ConfigError(`${origin}: got ${quote(table)} instead of settings`);
  for (const [name, raw] of Object.entries(table)) {
    const key = prefix + name;
    const opensSection = findSetting(key) === undefined && isSection(key);
    if (opensSection && (isTable(raw) || raw === null)) giveTable(values, raw, origin, `${key}.`);
    else give(values, key, { raw, origin });
  }
}
