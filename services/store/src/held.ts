import type { Clock, Timer, Timers } from "@canopy/base";
import type { Entry } from "./entry.ts";
import type { GatewayLink } from "./link.ts";
import type { Sender } from "./sender.ts";

export interface HeldParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly waitTimeout: number;
  /** Everything that had to be acknowledged is. */
  readonly answer: (entry: Entry) => void;
  /** It waits too long. */
  readonly giveUp: (entry: Entry) => void;
  /** A gateway came back without saying what it has had: the batch has to come again. */
  readonly again: (entry: Entry) => void;
}

/** Entries that are finished but for the acknowledgement of their pushes, oldest first. */
export class Held {
  readonly #parts: HeldParts;
  /** In the order in which they were finished. */
  readonly #entries = new Set<Entry>();
  readonly #superseded = new Set<Entry>();
  #bytes = 0;
  #timer: Timer | undefined;

  constructor(parts: HeldParts) {
    this.#parts = parts;
  }

  /** Memory that they hold. */
  get bytes(): number {
    return this.#bytes;
  }

  get entries(): Iterable<Entry> {
    return this.#entries;
  }

  hold(entry: Entry, links: readonly GatewayLink[]): void {
    this.#entries.add(entry);
    this.#bytes += entry.records.length;
    let left = links.length;
    const waiter = {
      isDispatched: entry.isDispatched,
      acknowledged: () => {
        if (--left === 0 && this.#remove(entry)) this.#parts.answer(entry);
      },
      unknown: () => {
        if (this.#remove(entry)) this.#parts.again(entry);
      },
    };
    for (const link of links) link.await(waiter);
    this.#watch();
  }

  /**
   * Its batch is given again, so nobody waits for it here any more. It stays until its pushes are
   * acknowledged, or are made again: until then another attachment has to get them first.
   */
  supersede(entry: Entry): void {
    entry.overdue = true;
    this.#superseded.add(entry);
  }

  /** The sender's batches are being pushed again, in their order. */
  pushedAgain(sender: Sender): void {
    for (const entry of this.#superseded) if (entry.sender === sender) this.#remove(entry);
  }

  /** Whoever waited for it does not any more. */
  drop(entry: Entry): void {
    this.#remove(entry);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #remove(entry: Entry): boolean {
    if (!this.#entries.delete(entry)) return false;
    this.#superseded.delete(entry);
    this.#bytes -= entry.records.length;
    if (this.#entries.size === 0) this.stop();
    return true;
  }

  #watch(): void {
    if (this.#timer !== undefined) return;
    const { timers, clock, waitTimeout } = this.#parts;
    for (const entry of this.#entries) {
      if (entry.overdue) continue;
      const left = entry.since + waitTimeout - clock.now();
      this.#timer = timers.set(Math.max(left, 0), () => this.#expire());
      return;
    }
  }

  #expire(): void {
    this.#timer = undefined;
    const { clock, waitTimeout, giveUp } = this.#parts;
    const since = clock.now() - waitTimeout;
    for (const entry of this.#entries) {
      if (entry.overdue || entry.since > since) continue;
      entry.overdue = true;
      giveUp(entry);
      if (entry.released) this.#remove(entry);
    }
    this.#watch();
  }
}
