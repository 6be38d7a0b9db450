import { number } from "../table.ts";
import type { Figure, Point, Series } from "./series.ts";

const WIDTH = 460;
const HEIGHT = 280;
const MARGIN = { left: 56, right: 16, top: 34, bottom: 66 };
const COLUMNS = 2;
const COLOURS = ["#0b6bcb", "#c2410c", "#15803d", "#7e22ce"];

/** A drawing of how CPU grows: a panel for each series, with a logarithmic axis of sizes. */
export function growthSvg(all: readonly Series[]): string {
  const rows = Math.ceil(all.length / COLUMNS);
  const panels = all.map((series, i) => {
    const [x, y] = [(i % COLUMNS) * WIDTH, Math.floor(i / COLUMNS) * HEIGHT];
    return `<g transform="translate(${x} ${y})">${panel(series)}</g>`;
  });
  const [width, height] = [COLUMNS * WIDTH, rows * HEIGHT];
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
    niceTop(Math.max(...values, 0)),
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
  readonly top: number;
  x(size: number): number;
  y(value: number): number;
}

function scales(sizes: readonly number[], top: number): Scale {
  const [low, high] = [Math.log10(Math.min(...sizes)), Math.log10(Math.max(...sizes))];
  const width = WIDTH - MARGIN.left - MARGIN.right;
  const height = HEIGHT - MARGIN.top - MARGIN.bottom;
  const share = (size: number): number =>
    high === low ? 0.5 : (Math.log10(size) - low) / (high - low);
  return {
    top,
    x: (size) => MARGIN.left + share(size) * width,
    y: (value) => MARGIN.top + (1 - value / top) * height,
  };
}

/** 1, 2 or 5 times a power of ten, not below the value. */
export function niceTop(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10);
}

function axes(points: readonly Point[], scale: Scale, of: string): string[] {
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right];
  const bottom = HEIGHT - MARGIN.bottom;
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * scale.top);
  return [
    ...marks.map((value) => {
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
    return value === undefined ? [] : [[round(scale.x(size)), round(scale.y(Math.max(0, value)))]];
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
