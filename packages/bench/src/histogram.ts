/** Buckets per doubling: a percentile is within 0.8 % of the value. */
const STEPS = 128;
const STEP_BITS = 7;
const OCTAVES = 32 - STEP_BITS;
const BUCKETS = (OCTAVES + 1) * STEPS;

function bucketOf(value: number): number {
  if (value < STEPS) return value;
  const shift = 31 - Math.clz32(value) - STEP_BITS;
  return (shift + 1) * STEPS + ((value >>> shift) - STEPS);
}

/** The middle of a bucket. */
function valueOf(bucket: number): number {
  if (bucket < STEPS) return bucket;
  const shift = Math.floor(bucket / STEPS) - 1;
  const low = ((bucket % STEPS) + STEPS) * 2 ** shift;
  return low + (2 ** shift - 1) / 2;
}

/** Counts by bucket, without the empty ones: what is sent between processes. */
export type HistogramData = readonly (readonly [bucket: number, count: number])[];

/** A log-linear histogram of whole numbers from 0 to 2^32 - 1; here of microseconds. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(value: number): void {
    const bucket = bucketOf(value);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
  }

  merge(data: HistogramData): void {
    for (const [bucket, count] of data) {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
      this.#total += count;
    }
  }

  /** The smallest value that is not exceeded by this share (0 to 1) of all; 0 if there are none. */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= wanted) return valueOf(bucket);
    }
    return 0;
  }

  data(): HistogramData {
    const data: [number, number][] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) data.push([bucket, count]);
    });
    return data;
  }
}
