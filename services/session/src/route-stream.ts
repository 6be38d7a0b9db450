import type { RouteChange, RouteSink } from "@canopy/session";
import type { Background } from "./background.ts";

interface Waiter {
  readonly upTo: number;
  readonly resolve: () => void;
}

/**
 * Route changes on their way to the stores, in the order in which they were applied: one call at a
 * time, with everything that collected meanwhile, again and again until it is taken.
 *
 * A store that has just asked for all routes may be told of a change that was in its answer.
 */
export class RouteStream {
  readonly #sink: Pick<RouteSink, "routes">;
  readonly #background: Background;
  #changes: RouteChange[] = [];
  /** How many changes there have been, and how many are in force. */
  #made = 0;
  #inForce = 0;
  #waiters: Waiter[] = [];
  #running = false;

  constructor(sink: Pick<RouteSink, "routes">, background: Background) {
    this.#sink = sink;
    this.#background = background;
  }

  add(change: RouteChange): void {
    this.#changes.push(change);
    this.#made++;
  }

  /** Sends what has collected. */
  flush(): void {
    if (this.#changes.length > 0 && !this.#running) void this.#run();
  }

  /** Settles when every change up to now is in force. */
  settled(): Promise<void> {
    if (this.#inForce === this.#made) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ upTo: this.#made, resolve }));
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#changes.length > 0) {
      const changes = this.#changes;
      this.#changes = [];
      const done = await this.#background.until("sending routes", () => this.#sink.routes(changes));
      // Stopped: who waits is told so by the service.
      if (!done) break;
      this.#inForce += changes.length;
      this.#wake();
    }
    this.#running = false;
  }

  #wake(): void {
    let woken = 0;
    for (const { upTo, resolve } of this.#waiters) {
      if (upTo > this.#inForce) break;
      resolve();
      woken++;
    }
    this.#waiters.splice(0, woken);
  }
}
