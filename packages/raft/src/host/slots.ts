/** Lets so many at a time do something; the others wait in the order in which they came. */
import { Deque } from "@canopy/base";

export class Slots {
  #free: number;
  readonly #waiting = new Deque<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
