/** Time as an argument: what production and the simulator hand in differently. */
export interface Clock {
  /** Milliseconds, monotonic and fractional; the origin means nothing. For deadlines. */
  now(): number;
  /** Milliseconds since the epoch; may jump. For timestamps that leave the process. */
  wall(): number;
}

export interface Timer {
  /** Idempotent; after it the function does not run any more. */
  cancel(): void;
}

export interface Timers {
  /** Runs fn once, in ms milliseconds; the real ones may be one millisecond early, or late. */
  set(ms: number, fn: () => void): Timer;
}
