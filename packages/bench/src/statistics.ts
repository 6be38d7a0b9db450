export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/** Half of the values are within this distance of the median. */
export function medianDeviation(values: readonly number[]): number {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle)));
}

/** The item with the median value; with an even number, the lower of the two. */
export function medianOf<T>(items: readonly T[], value: (item: T) => number): T | undefined {
  const sorted = items.toSorted((a, b) => value(a) - value(b));
  return sorted[Math.ceil(sorted.length / 2) - 1];
}
