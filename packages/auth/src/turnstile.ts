import { BoundedQueue, Deferred } from "@canopy/base";

/** Lets at most `width` tasks run at once and at most `queue` more wait, first come, first served. */
export class Turnstile {
  readonly #width: number;
  readonly #waiting: BoundedQueue<Deferred>;
  #running = 0;

  constructor(width: number, queue: number) {
    this.#width = width;
    this.#waiting = new BoundedQueue(queue);
  }

  /** undefined: too many wait already, and the task will not run. */
  run<T>(task: () => Promise<T>): Promise<T> | undefined {
    if (this.#running < this.#width) {
      this.#running++;
      return this.#pass(task);
    }
    const turn = new Deferred();
    if (!this.#waiting.push(turn)) return undefined;
    return turn.promise.then(() => this.#pass(task));
  }

  /** Whoever ends hands its place to the next in line, so nobody slips in between. */
  async #pass<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next.resolve();
    }
  }
}
