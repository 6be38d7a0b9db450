/** Durations and sizes as people write them. Both directions are exact. */

const durationUnits: ReadonlyMap<string, number> = new Map([
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
]);

const sizeUnits: ReadonlyMap<string, number> = new Map([
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
  ["B", 1],
]);

/** A number, or the text of one ("1000" or "1_000"); anything else comes back as it is. */
export function parseNumber(raw: unknown): unknown {
  if (typeof raw !== "string" || !/^\d+(_\d+)*$/.test(raw.trim())) return raw;
  return Number(raw.replaceAll("_", ""));
}

function parseWithUnit(raw: unknown, units: ReadonlyMap<string, number>): unknown {
  const plain = parseNumber(raw);
  if (typeof plain !== "string") return plain;
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([a-zA-Z]+)$/.exec(plain.trim()) ?? [];
  const factor = units.get(unit);
  if (factor === undefined) return raw;
  // "1.1s" is 1100.0000000000002 in binary; anything that is meant to be a fraction is not.
  const value = Number(digits) * factor;
  const rounded = Math.round(value);
  return Math.abs(value - rounded) < 1e-6 ? rounded : value;
}

/** Milliseconds from 1500, "1500", "1.5s", "2m", "1h" or "7d". */
export function parseDuration(raw: unknown): unknown {
  return parseWithUnit(raw, durationUnits);
}

/** Seconds from 60, "60", "1m" or "1h". */
export function parseSeconds(raw: unknown): unknown {
  const plain = parseNumber(raw);
  if (typeof plain !== "string") return plain;
  const ms = parseDuration(plain);
  return typeof ms === "number" ? ms / 1_000 : raw;
}

/** Bytes from 65536, "65536", "64KiB", "1MiB" or "1GiB". */
export function parseSize(raw: unknown): unknown {
  return parseWithUnit(raw, sizeUnits);
}

/** In the largest unit that is exact; a number that is no multiple of any stays a number. */
function showWithUnit(value: number, units: ReadonlyMap<string, number>): string {
  for (const [unit, factor] of units) {
    if (unit !== "B" && value >= factor && value % factor === 0) return `${value / factor}${unit}`;
  }
  return String(value);
}

export function showDuration(ms: number): string {
  return showWithUnit(ms, durationUnits);
}

export function showSize(bytes: number): string {
  return showWithUnit(bytes, sizeUnits);
}
