import { readFile } from "node:fs/promises";
import { UsageError } from "../options.ts";
import { dimensions } from "./dimensions.ts";
import type { Point, Series } from "./series.ts";

/**
 * What earlier runs of `bench growth --json` have written, in the order of a run of everything. Of a
 * series that several files have, the last file's counts.
 * @throws UsageError if a file is not such a result.
 */
export async function readSeries(files: readonly string[]): Promise<readonly Series[]> {
  const all = new Map<string, Series>();
  for (const file of files) {
    for (const series of await seriesIn(file)) all.set(series.name, series);
  }
  const order = dimensions.map(({ name }) => name);
  return [...all.values()].toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

async function seriesIn(file: string): Promise<readonly Series[]> {
  try {
    const { results } = JSON.parse(await readFile(file, "utf8")) as { results: unknown };
    if (!Array.isArray(results) || results.length === 0 || !results.every(isSeries)) {
      throw new Error("not a result of bench growth");
    }
    return results.map((series) => ({ ...series, points: series.points.map(withoutGaps) }));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--from ${file}: ${why}`, { cause: error });
  }
}

function isSeries(value: unknown): value is Series {
  const { name, title, of, figures, points } = Object(value) as Partial<Series>;
  const isNamed = [name, title, of].every((text) => typeof text === "string");
  return isNamed && Array.isArray(figures) && Array.isArray(points);
}

/** JSON has null for what is not a number. */
function withoutGaps({ size, figures }: Point): Point {
  const known = Object.entries(figures).filter(([, value]) => Number.isFinite(value));
  return { size, figures: Object.fromEntries(known) };
}
