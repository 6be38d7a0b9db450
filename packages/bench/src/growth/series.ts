/** What growth was measured: one dimension, some sizes, several figures at each. */

export interface Point {
  readonly size: number;
  /** By the name of the figure; a figure may be missing at a size. */
  readonly figures: Readonly<Record<string, number>>;
}

export interface Figure {
  readonly name: string;
  readonly unit: "µs" | "B" | "MB";
}

export interface Series {
  readonly name: string;
  readonly title: string;
  /** What is counted along the axis. */
  readonly of: string;
  readonly figures: readonly Figure[];
  readonly points: readonly Point[];
  readonly faults: string;
}

/** 1, 10, 100 … times the first, as far as `most`, which is the last. */
export function sizesUpTo(first: number, most: number): readonly number[] {
  const sizes: number[] = [];
  for (let size = first; size < most; size *= 10) sizes.push(size);
  return [...sizes, most];
}
