/** The only file of this package that touches the process: real time, real randomness. */
import { randomBytes } from "node:crypto";
import type { Clock, Timer, Timers } from "./clock.ts";
import type { Random } from "./random.ts";

// setTimeout turns a longer delay into 1 ms.
const LONGEST_DELAY = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
};

class SystemTimer implements Timer {
  readonly #due: number;
  readonly #fn: () => void;
  readonly #keepsAlive: boolean;
  #handle: NodeJS.Timeout | undefined;

  constructor(ms: number, fn: () => void, keepsAlive: boolean) {
    this.#due = performance.now() + ms;
    this.#fn = fn;
    this.#keepsAlive = keepsAlive;
    this.#arm(ms);
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }

  /** A delay beyond what setTimeout takes is waited for in parts. */
  #arm(ms: number): void {
    this.#handle = setTimeout(() => this.#wake(), Math.min(Math.max(ms, 0), LONGEST_DELAY));
    if (!this.#keepsAlive) this.#handle.unref();
  }

  #wake(): void {
    const left = this.#due - performance.now();
    // Node may fire up to a millisecond early; only a part of a long delay leaves more than that.
    if (left > 1) this.#arm(left);
    else this.#fn();
  }
}

/** A pending timer keeps the process alive. */
export const systemTimers: Timers = {
  set: (ms, fn) => new SystemTimer(ms, fn, true),
};

/** For housekeeping: a pending timer does not keep the process alive (unref). */
export const backgroundTimers: Timers = {
  set: (ms, fn) => new SystemTimer(ms, fn, false),
};

/** Cryptographic strength: fit for identifiers that nobody may guess. */
export const systemRandom: Random = {
  next: () => {
    const bytes = randomBytes(8);
    return (bytes.readUInt32LE(0) * 2 ** 21 + (bytes.readUInt32LE(4) >>> 11)) / 2 ** 53;
  },
};
