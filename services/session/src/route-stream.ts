import type { RouteChange, RouteSink, RouteVersion } from "@canopy/session";
import type { Background } from "./background.ts";

interface Parts {
  readonly group: number;
  readonly term: number;
  readonly sink: Pick<RouteSink, "routes">;
  readonly background: Background;
}

interface Waiter {
  readonly upTo: number;
  readonly resolve: () => void;
}

/**
 * Route changes on their way to the stores, in the order in which they were applied: one call at a
 * time, with everything that collected meanwhile, again and again until it is taken. It begins with all
 * routes that there are.
 */
export class RouteStream {
  readonly #parts: Parts;
  #whole: readonly string[] | undefined;
  #changes: RouteChange[] = [];
  /** How many changes there have been, and how many are in force. */
  #made = 0;
  #inForce = 0;
  #waiters: Waiter[] = [];
  #running = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get version(): RouteVersion {
    const { group, term } = this.#parts;
    return { group, term, seq: this.#made };
  }

  begin(routes: readonly string[]): void {
    this.#whole = routes;
    this.#changes = [];
  }

  add(change: RouteChange): void {
    this.#changes.push(change);
    this.#made++;
  }

  /** Sends what has collected. */
  flush(): void {
    if (this.#isDue && !this.#running) void this.#run();
  }

  /** Settles when every change up to now is in force. */
  settled(): Promise<void> {
    if (this.#inForce === this.#made) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ upTo: this.#made, resolve }));
  }

  get #isDue(): boolean {
    return this.#whole !== undefined || this.#changes.length > 0;
  }

  async #run(): Promise<void> {
    const { sink, background } = this.#parts;
    this.#running = true;
    while (this.#isDue) {
      const whole = this.#whole?.map((filter): RouteChange => ({ filter, add: true }));
      const changes = whole ?? this.#changes;
      const batch = { ...this.version, whole: whole !== undefined, changes };
      this.#whole = undefined;
      this.#changes = [];
      const done = await background.until("sending routes", () => sink.routes(batch));
      // Stopped: who waits is told so by the service.
      if (!done) break;
      this.#inForce = batch.seq;
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
