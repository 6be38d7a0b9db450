/**
 * Lists that are appended to and read whole, every value once. What was appended when follows from
 * the reads, so no search is needed (Kingsbury and Alvaro, "Elle", 2020): all reads are prefixes of
 * one order, and that order must not contradict time.
 */

export interface Append {
  readonly value: number;
  readonly called: number;
  /** Infinite where the answer never came. */
  readonly returned: number;
  /** How many values the list had before, where the answer said so. */
  readonly position: number | undefined;
}

export interface Read {
  readonly values: readonly number[];
  readonly called: number;
  readonly returned: number;
}

/** Undefined where all is well, else what is not. */
export function checkList(appends: readonly Append[], reads: readonly Read[]): string | undefined {
  const order = longest(reads);
  return (
    notPrefix(order, reads) ?? notAppended(order, appends) ?? againstTime(order, appends, reads)
  );
}

function longest(reads: readonly Read[]): readonly number[] {
  let order: readonly number[] = [];
  for (const { values } of reads) if (values.length > order.length) order = values;
  return order;
}

function notPrefix(order: readonly number[], reads: readonly Read[]): string | undefined {
  for (const { values } of reads) {
    const at = values.findIndex((value, index) => value !== order[index]);
    if (at >= 0) return `two reads differ at ${at}: [${values.join(" ")}] and [${order.join(" ")}]`;
  }
  return undefined;
}

function notAppended(order: readonly number[], appends: readonly Append[]): string | undefined {
  const known = new Set(appends.map((append) => append.value));
  const seen = new Set<number>();
  for (const value of order) {
    if (!known.has(value)) return `${value} was read and never appended`;
    if (seen.has(value)) return `${value} is there twice`;
    seen.add(value);
  }
  for (const { value, position } of appends) {
    if (position === undefined || position >= order.length) continue;
    if (order[position] !== value) return `${value} was appended at ${position} and is not there`;
  }
  return undefined;
}

function againstTime(
  order: readonly number[],
  appends: readonly Append[],
  reads: readonly Read[],
): string | undefined {
  const place = new Map(order.map((value, index) => [value, index]));
  // Where an append of unknown place stands: behind everything that was read.
  const placeOf = (append: Append): number => place.get(append.value) ?? append.position ?? -1;
  for (const read of reads) {
    for (const append of appends) {
      const at = place.get(append.value);
      const contained = at !== undefined && at < read.values.length;
      if (append.returned < read.called && !contained) {
        return `${append.value} had been appended and was not read`;
      }
      if (read.returned < append.called && contained) return `${append.value} was read too early`;
    }
    for (const later of reads) {
      if (read.returned < later.called && later.values.length < read.values.length) {
        return `a later read has ${later.values.length} values, an earlier ${read.values.length}`;
      }
    }
  }
  for (const append of appends) {
    for (const later of appends) {
      if (append.returned >= later.called) continue;
      const [first, second] = [placeOf(append), placeOf(later)];
      if (first >= 0 && second >= 0 && first > second) {
        return `${later.value} is before ${append.value}, which had been answered before`;
      }
      if (first < 0 && place.has(later.value)) {
        return `${append.value} was answered, and is missing before ${later.value}`;
      }
    }
  }
  return undefined;
}
