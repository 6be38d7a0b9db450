/** So many at a time: a few milliseconds. */
const SLICE = 5_000;

/**
 * Visits very many without holding up everything else. `items` may change meanwhile. False if it was
 * ended before the last.
 */
export async function inSlices<T>(
  items: Iterable<T>,
  visit: (item: T) => void,
  ended: () => boolean,
): Promise<boolean> {
  let left = SLICE;
  for (const item of items) {
    if (left-- === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      if (ended()) return false;
      left = SLICE - 1;
    }
    visit(item);
  }
  return !ended();
}
