import { median, medianDeviation } from "../statistics.ts";

/** CPU per message of both sides, measured one after the other. */
export interface Pair {
  readonly base: number;
  readonly ours: number;
}

export interface Verdict {
  /** Medians, in µs per message. */
  readonly base: number;
  readonly ours: number;
  /** The median of ours ÷ base in the pairs. */
  readonly ratio: number;
  /** How far that may be off: two standard errors, estimated from the pairs' deviations. */
  readonly noise: number;
  /** By one standard error more than is allowed. */
  readonly hasGrown: boolean;
}

/** A pair is measured within seconds, so that most of what the machine does meets both sides. */
export const MOST_GROWTH = 1.15;

/** Of a normal distribution: standard deviation ÷ median deviation, and standard error of a median. */
const DEVIATION = 1.4826;
const MEDIAN_ERROR = 1.2533;

export function verdictOf(pairs: readonly Pair[]): Verdict {
  const ratios = pairs.map(({ base, ours }) => ours / base);
  const ratio = median(ratios);
  const deviation = DEVIATION * medianDeviation(ratios);
  const noise = (2 * MEDIAN_ERROR * deviation) / Math.sqrt(pairs.length);
  return {
    base: median(pairs.map(({ base }) => base)),
    ours: median(pairs.map(({ ours }) => ours)),
    ratio,
    noise,
    hasGrown: ratio - noise / 2 > MOST_GROWTH,
  };
}
