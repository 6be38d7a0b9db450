import { z } from "zod";
import { type SettingMeta, settingMeta } from "./kinds.ts";
import { type Role, rolesFor } from "./roles.ts";
import { schema } from "./schema.ts";

/** One setting of the schema, by its key. */
export interface Setting extends SettingMeta {
  /** Its place in the schema, joined by dots: "limits.maxQos". */
  readonly key: string;
  /** Its environment variable: "CANOPY_LIMITS__MAX_QOS". */
  readonly variable: string;
  /** The kinds of process that use it. */
  readonly roles: readonly Role[];
}

/**
 * The rule for environment variables: CANOPY_, then the key in capitals, with _ between the words
 * of a part and __ between parts.
 */
function variableOf(key: string): string {
  const parts = key.split(".").map((part) => part.replace(/[A-Z]/g, "_$&").toUpperCase());
  return `CANOPY_${parts.join("__")}`;
}

function collect(prefix: string, object: z.ZodObject, found: Setting[]): Setting[] {
  for (const [name, field] of Object.entries(object.shape)) {
    const key = prefix + name;
    if (field instanceof z.ZodObject) {
      collect(`${key}.`, field, found);
      continue;
    }
    const meta = settingMeta.get(field as z.ZodType);
    if (meta === undefined) throw new Error(`the setting ${key} does not describe itself`);
    found.push({ ...meta, key, variable: variableOf(key), roles: rolesFor(key) });
  }
  return found;
}

/** Every setting, in the order of the schema. */
export const settings: readonly Setting[] = collect("", schema, []);

export const settingKeys: readonly string[] = settings.map(({ key }) => key);

const byKey: ReadonlyMap<string, Setting> = new Map(settings.map((each) => [each.key, each]));

/** The setting that the key names, which may be an entry of a map. */
export function findSetting(key: string): Setting | undefined {
  const exact = byKey.get(key);
  if (exact !== undefined) return exact;
  return settings.find(({ key: map, isMap }) => isMap && key.startsWith(`${map}.`));
}

export function isSection(key: string): boolean {
  return settingKeys.some((each) => each.startsWith(`${key}.`));
}
