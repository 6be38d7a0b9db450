import { number } from "../table.ts";
import type { Figure, Point, Series } from "./series.ts";

const WIDTH = 460;
const HEIGHT = 280;
const MARGIN = { left: 56, right: 16, top: 34, bottom: 66 };
const COLUMNS = 2;
const COLOURS = ["#0b6bcb", "#c2410c", "#15803d", "#7e22ce"];

/**
 * A drawing of how CPU grows: a panel for each series, with logarithmic axes. What costs the same at
 * every size is a level line, and what is proportional to the size rises a decade in each decade.
 */
export function growthSvg(all: readonly Series[]): string {
  const rows = Math.ceil(all.length / COLUMNS);
  const panels = all.map((series, i) => {
    const [x, y] = [(i % COLUMNS) * WIDTH, Math.floor(i / COLUMNS) * HEIGHT];
    return `<g transform="translate(${x} ${y})">${panel(series)}</g>`;
  });
  const [width, height] = [Math.min(COLUMNS, all.length) * WIDTH, rows * HEIGHT];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"`,
    ` viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11" fill="#1f2937">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...panels,
    "</svg>\n",
  ].join("\n");
}

function panel({ title, of, figures, points }: Series): string {
  const drawn = figures.filter(({ unit }) => unit === "µs");
  const values = drawn.flatMap(({ name }) => points.map(({ figures: at }) => at[name] ?? 0));
  const scale = scales(
    points.map(({ size }) => size),
    decades(values),
  );
  const lines = drawn.map((figure, i) => line(figure, points, scale, COLOURS[i % 4] ?? "#000"));
  const legend = drawn.map(({ name }, i) => legendEntry(name, i));
  return [
    text(MARGIN.left, 20, escape(title), 'font-size="13" font-weight="bold"'),
    ...axes(points, scale, of),
    ...lines,
    ...legend,
  ].join("\n");
}

interface Scale {
  /** From the lowest to the highest; powers of ten. */
  readonly marks: readonly number[];
  x(size: number): number;
  y(value: number): number;
}

function scales(sizes: readonly number[], marks: readonly number[]): Scale {
  const [low, high] = [Math.log10(Math.min(...sizes)), Math.log10(Math.max(...sizes))];
  const width = WIDTH - MARGIN.left - MARGIN.right;
  const height = HEIGHT - MARGIN.top - MARGIN.bottom;
  const share = (size: number): number =>
    high === low ? 0.5 : (Math.log10(size) - low) / (high - low);
  const [bottom, top] = [Math.log10(marks[0] ?? 1), Math.log10(marks.at(-1) ?? 10)];
  const rise = (value: number): number =>
    Math.min(1, Math.max(0, (Math.log10(value) - bottom) / (top - bottom)));
  return {
    marks,
    x: (size) => MARGIN.left + share(size) * width,
    y: (value) => MARGIN.top + (1 - (value > 0 ? rise(value) : 0)) * height,
  };
}

/** The powers of ten that these values lie between; two at least. */
export function decades(values: readonly number[]): readonly number[] {
  const logs = values.filter((value) => value > 0).map(Math.log10);
  const first = logs.length === 0 ? 0 : Math.floor(Math.min(...logs));
  const last = Math.max(first + 1, Math.ceil(Math.max(...logs, first)));
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

function axes(points: readonly Point[], scale: Scale, of: string): string[] {
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right];
  const bottom = HEIGHT - MARGIN.bottom;
  return [
    ...scale.marks.map((value) => {
      const y = round(scale.y(value));
      return (
        `<path d="M${left} ${y}H${right}" stroke="#e5e7eb"/>` +
        text(left - 6, y + 4, number(value), 'text-anchor="end"')
      );
    }),
    ...points.map(({ size }) =>
      text(round(scale.x(size)), bottom + 16, short(size), 'text-anchor="middle"'),
    ),
    text(14, (MARGIN.top + bottom) / 2, "µs of CPU", verticalAt((MARGIN.top + bottom) / 2)),
    text(right, bottom + 30, escape(of), 'text-anchor="end"'),
  ];
}

function verticalAt(y: number): string {
  return `text-anchor="middle" transform="rotate(-90 14 ${y})"`;
}

function line(figure: Figure, points: readonly Point[], scale: Scale, colour: string): string {
  const at = points.flatMap(({ size, figures }) => {
    const value = figures[figure.name];
    return value === undefined ? [] : [[round(scale.x(size)), round(scale.y(value))]];
  });
  const path = at.map(([x, y]) => `${x} ${y}`).join("L");
  const dots = at.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`);
  return `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join("")}`;
}

function legendEntry(name: string, i: number): string {
  const [x, y] = [MARGIN.left + (i % 2) * 200, HEIGHT - 24 + Math.floor(i / 2) * 15];
  return `<rect x="${x}" y="${y - 8}" width="10" height="10" fill="${COLOURS[i % 4]}"/>${text(x + 15, y + 1, escape(name), "")}`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${content}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function short(size: number): string {
  if (size >= 1e6) return `${size / 1e6}M`;
  return size >= 1000 ? `${size / 1000}k` : String(size);
}

function escape(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
