export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

/** Markdown that is also readable as it stands: cells are padded to the width of their column. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, i) =>
    Math.max(3, title.length, ...rows.map((row) => (row[i] ?? "").length)),
  );
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const pad = (cells: readonly string[]): string[] =>
    columns.map(({ align }, i) => {
      const [cell, width] = [cells[i] ?? "", widths[i] ?? 0];
      return align === "left" ? cell.padEnd(width) : cell.padStart(width);
    });
  const rule = columns.map(({ align }, i) => {
    const dashes = "-".repeat((widths[i] ?? 0) - 1);
    return align === "left" ? `${dashes}-` : `${dashes}:`;
  });
  return [
    line(pad(columns.map(({ title }) => title))),
    line(rule),
    ...rows.map((row) => line(pad(row))),
    "",
  ].join("\n");
}

export const left = (title: string): Column => ({ title, align: "left" });
export const right = (title: string): Column => ({ title, align: "right" });

/** Three significant digits, and thousands apart. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 100) {
    const step = 10 ** Math.max(0, Math.floor(Math.log10(size)) - 2);
    return (Math.round(value / step) * step).toLocaleString("en-US");
  }
  return String(Number(value.toPrecision(3)));
}

export function megabytes(bytes: number): string {
  return `${number(bytes / 1e6)} MB`;
}
