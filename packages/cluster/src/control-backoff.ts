import type { Random, Timers } from "@canopy/base";

const FIRST = 50;
const LONGEST = 1_000;

/** How long to wait before the next try, ms: longer each time, and by chance, so that not all come at once. */
export class Backoff {
  readonly #random: Random;
  readonly #longest: number;
  #failures = 0;

  constructor(random: Random, longest: number = LONGEST) {
    this.#random = random;
    this.#longest = longest;
  }

  next(): number {
    const most = Math.min(FIRST * 2 ** this.#failures++, this.#longest);
    return most * (0.5 + this.#random.next() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}

export function pause(timers: Timers, ms: number): Promise<void> {
  return new Promise((resolve) => {
    timers.set(ms, resolve);
  });
}
