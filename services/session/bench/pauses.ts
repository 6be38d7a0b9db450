/** How long each turn of the event loop takes, from now to end(). */
import { PerformanceObserver } from "node:perf_hooks";

/** Turns in which nothing else happens are shorter than this, ms. */
const SHORT = 0.5;

export class Pauses {
  readonly #turns: number[] = [];
  readonly #observer: PerformanceObserver;
  #collected = 0;
  #last = performance.now();
  #running = true;

  constructor() {
    this.#observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        this.#collected = Math.max(this.#collected, duration);
      }
    });
    this.#observer.observe({ entryTypes: ["gc"] });
    const turn = (): void => {
      const now = performance.now();
      const took = now - this.#last;
      this.#last = now;
      if (took > SHORT) this.#turns.push(took);
      if (this.#running) setImmediate(turn);
    };
    setImmediate(turn);
  }

  /** In words. */
  end(): string {
    this.#running = false;
    this.#observer.disconnect();
    const turns = this.#turns.sort((a, b) => a - b);
    const at = (part: number) => (turns[Math.floor(turns.length * part)] ?? 0).toFixed(1);
    const longest = (turns.at(-1) ?? 0).toFixed(1);
    return (
      `turns of the event loop p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${longest} ms; ` +
      `longest garbage collection ${this.#collected.toFixed(1)} ms`
    );
  }
}
