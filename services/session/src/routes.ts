import type { RouteChange, RouteVersion } from "@canopy/session";
import type { Background } from "./background.ts";
import { RouteStream } from "./route-stream.ts";
import type { StoreLink } from "./store-link.ts";

interface Parts {
  readonly group: number;
  readonly term: number;
  readonly background: Background;
  /** All routes of the state as it is now. */
  readonly routes: () => readonly string[];
}

/** The group's routes on their way to every store process, each by a stream of its own. */
export class Routes {
  readonly #parts: Parts;
  readonly #streams = new Map<number, RouteStream>();
  /** How many changes there have been in this leadership. */
  #made = 0;
  /** What those streams begin with that begin at the same time. */
  #whole: { readonly made: number; readonly filters: readonly string[] } | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get version(): RouteVersion {
    const { group, term } = this.#parts;
    return { group, term, seq: this.#made };
  }

  add(change: RouteChange): void {
    this.#made++;
    this.#whole = undefined;
    for (const stream of this.#streams.values()) stream.add(change);
  }

  flush(): void {
    for (const stream of this.#streams.values()) stream.flush();
    this.#whole = undefined;
  }

  up(link: StoreLink): void {
    const { background } = this.#parts;
    const version = () => this.version;
    const stream = new RouteStream({ link, background, version, routes: () => this.#all() });
    this.#streams.set(link.incarnation, stream);
  }

  down({ incarnation }: StoreLink): void {
    this.#streams.get(incarnation)?.close();
    this.#streams.delete(incarnation);
  }

  /** Settles when every change up to now is in force in every store process that is not down. */
  async settled(): Promise<void> {
    const waits: Promise<void>[] = [];
    for (const stream of this.#streams.values()) {
      const reached = stream.reached(this.#made);
      if (reached !== undefined) waits.push(reached);
    }
    if (waits.length > 0) await Promise.all(waits);
  }

  #all(): readonly string[] {
    if (this.#whole?.made !== this.#made) {
      this.#whole = { made: this.#made, filters: this.#parts.routes() };
    }
    return this.#whole.filters;
  }
}
