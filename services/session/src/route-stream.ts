import type { RouteBatch, RouteChange, RouteVersion } from "@canopy/session";
import type { Background } from "./background.ts";
import { isStale } from "./errors.ts";
import type { StoreLink } from "./store-link.ts";

/** Changes that may wait for a store: from then on it is told everything anew. */
const MOST_WAITING = 100_000;
/** Failures up to which the pause between two tries grows: a store that comes back is not waited for long. */
const SLOWEST = 4;

interface Waiter {
  readonly upTo: number;
  readonly resolve: () => void;
}

interface Parts {
  readonly link: StoreLink;
  readonly background: Background;
  /** The place of the last change there is. */
  readonly version: () => RouteVersion;
  /** All routes as of that. */
  readonly routes: () => readonly string[];
}

/**
 * Route changes on their way to one store process, in the order in which they were applied: one call at
 * a time, with everything that collected meanwhile, again and again until it is taken. It begins with
 * all routes that there are.
 */
export class RouteStream {
  readonly #parts: Parts;
  /** Everything is due, not changes alone. */
  #whole = true;
  #changes: RouteChange[] = [];
  /** What was not taken. */
  #again: RouteBatch | undefined;
  /** Number of the last change that is in force there; -1: nothing is yet. */
  #inForce = -1;
  #waiters: Waiter[] = [];
  #running = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  add(change: RouteChange): void {
    if (this.#whole) return;
    this.#changes.push(change);
    if (this.#changes.length > MOST_WAITING) this.#restart();
  }

  /** Sends what has collected, if it is known where to. Not from within a command's effects. */
  flush(): void {
    if (this.#isDue && !this.#running && this.#parts.link.isKnown) void this.#run();
  }

  /** Settles when every change up to this number is in force there, or the store is down. */
  reached(upTo: number): Promise<void> | undefined {
    if (this.#inForce >= upTo || this.#parts.link.isDown) return undefined;
    return new Promise((resolve) => this.#waiters.push({ upTo, resolve }));
  }

  /** The store is down: nobody waits for it. */
  close(): void {
    this.#wake(Number.POSITIVE_INFINITY);
  }

  get #isDue(): boolean {
    return this.#whole || this.#again !== undefined || this.#changes.length > 0;
  }

  async #run(): Promise<void> {
    const { link, background } = this.#parts;
    this.#running = true;
    for (let failures = 0; this.#isDue && !link.isDown && !background.stopped; ) {
      const batch = this.#take();
      try {
        await link.call((sink) => sink.routes(batch));
        failures = 0;
        this.#inForce = batch.seq;
        this.#wake(batch.seq);
      } catch (error) {
        this.#again = batch;
        if (isStale(error)) this.#restart();
        failures = Math.min(failures + 1, SLOWEST);
        if (link.isDown || !(await background.afterFailure("sending routes", failures, error)))
          break;
      }
    }
    this.#running = false;
  }

  #take(): RouteBatch {
    const { version, routes } = this.#parts;
    const again = this.#whole ? undefined : this.#again;
    this.#again = undefined;
    if (again !== undefined) return again;
    const whole = this.#whole;
    const changes = whole ? routes().map((filter) => ({ filter, add: true })) : this.#changes;
    this.#whole = false;
    this.#changes = [];
    return { ...version(), whole, changes };
  }

  #restart(): void {
    this.#whole = true;
    this.#changes = [];
  }

  #wake(upTo: number): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter((waiter) => waiter.upTo > upTo);
    for (const waiter of waiters) if (waiter.upTo <= upTo) waiter.resolve();
  }
}
