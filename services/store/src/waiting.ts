import { type Clock, Deque, type Timer, type Timers } from "@canopy/base";
import type { Given } from "./entry.ts";

export interface WaitingParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly waitTimeout: number;
  readonly maxBytes: number;
  /** It has waited too long. */
  readonly giveUp: (given: Given) => void;
}

interface Waits extends Given {
  readonly since: number;
}

/** Batches that came before the shard accepts any, in their order. */
export class WaitingBatches {
  readonly #parts: WaitingParts;
  #list = new Deque<Waits>();
  #bytes = 0;
  #timer: Timer | undefined;

  constructor(parts: WaitingParts) {
    this.#parts = parts;
  }

  /** False where there is no room. */
  add(given: Given): boolean {
    const { length } = given.batch.records;
    if (this.#bytes + length > this.#parts.maxBytes) return false;
    this.#bytes += length;
    this.#list.push({ ...given, since: this.#parts.clock.now() });
    this.#watch();
    return true;
  }

  /** Takes out those that are meant, in their order. */
  take(isMeant: (waits: Waits) => boolean = () => true): Given[] {
    const taken: Waits[] = [];
    const left = new Deque<Waits>();
    for (const waits of this.#list) {
      if (isMeant(waits)) taken.push(waits);
      else left.push(waits);
    }
    this.#list = left;
    for (const { batch } of taken) this.#bytes -= batch.records.length;
    if (left.size === 0) this.stop();
    return taken;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #watch(): void {
    const oldest = this.#list.peek();
    if (this.#timer !== undefined || oldest === undefined) return;
    const { timers, clock, waitTimeout } = this.#parts;
    const left = oldest.since + waitTimeout - clock.now();
    this.#timer = timers.set(Math.max(left, 0), () => {
      this.#timer = undefined;
      const since = clock.now() - waitTimeout;
      for (const given of this.take((waits) => waits.since <= since)) {
        this.#parts.giveUp(given);
      }
      this.#watch();
    });
  }
}
