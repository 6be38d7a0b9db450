import type { Background } from "./background.ts";
import type { Propose } from "./proposing.ts";
import type { StoreLink } from "./store-link.ts";

const BATCH = 1000;

interface Parts {
  /** The store processes that are not down. What a dead one had, the next owner of its shards asks about. */
  readonly stores: () => readonly StoreLink[];
  readonly propose: Propose;
  readonly background: Background;
  /** Whether a will of the session is on its way: what the stores hold keeps it from going twice. */
  readonly isBusy: (incarnation: number) => boolean;
}

/** Tells the stores which sessions are no more, one batch at a time, until it is committed. */
export class Cleanup {
  readonly #parts: Parts;
  readonly #ready = new Set<number>();
  readonly #waiting = new Set<number>();
  #running = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  add(incarnation: number): void {
    const busy = this.#parts.isBusy(incarnation);
    (busy ? this.#waiting : this.#ready).add(incarnation);
  }

  /** The session's wills are done. */
  idle(incarnation: number): void {
    if (this.#waiting.delete(incarnation)) this.#ready.add(incarnation);
  }

  /** Not from within a command's effects. */
  flush(): void {
    if (this.#ready.size > 0 && !this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    const { propose, background } = this.#parts;
    this.#running = true;
    while (this.#ready.size > 0) {
      const incarnations = firstOf(this.#ready, BATCH);
      const done = await background.until("ending sessions in the stores", async () => {
        await this.#tell(incarnations);
        await propose({ type: "ended-cleaned", incarnations });
      });
      if (!done) break;
      for (const incarnation of incarnations) this.#ready.delete(incarnation);
    }
    this.#running = false;
  }

  async #tell(incarnations: readonly number[]): Promise<void> {
    const told = this.#parts.stores().map(async (link) => {
      try {
        await link.call((sink) => sink.sessionsEnded(incarnations));
      } catch (error) {
        if (!link.isDown) throw error;
      }
    });
    await Promise.all(told);
  }
}

function firstOf(items: Iterable<number>, count: number): number[] {
  const first: number[] = [];
  for (const item of items) {
    if (first.length === count) break;
    first.push(item);
  }
  return first;
}
