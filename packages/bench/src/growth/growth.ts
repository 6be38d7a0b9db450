/** `bench growth`: cost against how much there is. */
import { writeFile } from "node:fs/promises";
import { choose } from "../choose.ts";
import type { Options } from "../options.ts";
import { withBench } from "../session.ts";
import { left, number, right, table } from "../table.ts";
import { type Dimension, dimensions } from "./dimensions.ts";
import { type Figure, type Point, type Series, sizesUpTo } from "./series.ts";
import { Setting } from "./setting.ts";
import { growthSvg } from "./svg.ts";

export async function growth(
  options: Options,
  report: (series: Series) => void,
  progress: (text: string) => void,
): Promise<readonly Series[]> {
  const all: Series[] = [];
  for (const dimension of choose(dimensions, options.scenarios)) {
    const series = await measure(options, dimension, progress);
    all.push(series);
    report(series);
    // What there is so far is worth keeping if the rest takes too long.
    if (options.svg !== undefined) await writeFile(options.svg, growthSvg(all));
  }
  return all;
}

async function measure(
  options: Options,
  dimension: Dimension,
  progress: (text: string) => void,
): Promise<Series> {
  const { name, title, of, figures, settings, first } = dimension;
  const most = Math.max(first, Math.min(dimension.most, options.max ?? dimension.most));
  const sizes = sizesUpTo(first, most);
  const faults: string[] = [];
  const points: Point[] = [];
  const [broker = "canopy"] = options.brokers ?? [];
  /** Fills one broker from size to size. */
  const measureAll = (some: readonly number[]): Promise<void> =>
    withBench(options, broker, settings, async (bench) => {
      const setting = new Setting(bench);
      let before = await warmUp(dimension, setting);
      for (const size of some) {
        points.push({ size, figures: await dimension.measure(setting, before, size) });
        progress(`${size.toLocaleString("en-US")} ${of}: ${figuresText(points.at(-1), figures)}`);
        before = size;
      }
      faults.push(...setting.faults);
    });
  if (dimension.isFresh === true) {
    for (const size of sizes) await measureAll([size]);
  } else {
    await measureAll(sizes);
  }
  return { name, title, of, figures, points, faults: faults.join("; ") };
}

function figuresText(point: Point | undefined, figures: readonly Figure[]): string {
  return figures
    .map(({ name, unit }) => `${name} ${number(point?.figures[name] ?? Number.NaN)} ${unit}`)
    .join(", ");
}

/** What is measured must have been compiled. Returns how much of it there is now. */
async function warmUp(dimension: Dimension, setting: Setting): Promise<number> {
  await setting.messageCost(dimension.settings.durable);
  if (dimension.isFresh === true) return 0;
  await dimension.measure(setting, 0, dimension.first / 2);
  return dimension.first / 2;
}

export function growthTable({ title, of, figures, points, faults }: Series): string {
  const columns = [left(of), ...figures.map(({ name, unit }) => right(`${name}, ${unit}`))];
  const rows = points.map((point) => [
    point.size.toLocaleString("en-US"),
    ...figures.map(({ name }) => number(point.figures[name] ?? Number.NaN)),
  ]);
  const wrong = faults === "" ? "" : `wrong: ${faults}\n`;
  return `${title}\n\n${table(columns, rows)}${wrong}`;
}
