/** Requests of a gateway on its link that have no answer yet. */
import type { Timer, Timers } from "@canopy/base";
import { type Offset, StoreError } from "@canopy/store";
import { MAX_REQUESTS } from "./limits.ts";

type Heads = readonly Offset[] | undefined;

interface Request {
  /** When it was asked, in rounds; undefined: it waits as long as the link is there. */
  readonly round: number | undefined;
  readonly resolve: (heads: Heads) => void;
  readonly reject: (error: StoreError) => void;
}

/** In a deadline there are so many: a timer for each of many requests would cost more than they do. */
const ROUNDS = 4;

export class Pending {
  readonly #deadline: number;
  readonly #timers: Timers;
  /** By number, and so in the order of their rounds. */
  readonly #requests = new Map<number, Request>();
  #last = 0;
  #round = 0;
  #timer: Timer | undefined;

  /** @param deadline - ms; an answer may take up to a quarter longer. */
  constructor(deadline: number, timers: Timers) {
    this.#deadline = deadline;
    this.#timers = timers;
  }

  /**
   * Settles with the answer to a request of this number; rejects after the deadline, if it has one.
   * @throws StoreError, at once, where too many wait.
   */
  ask(isLimited: boolean, say: (request: number) => void): Promise<Heads> {
    if (isLimited && this.#requests.size >= MAX_REQUESTS) {
      throw new StoreError("unavailable", "too many requests wait for the store process");
    }
    const number = ++this.#last;
    return new Promise((resolve, reject) => {
      const round = isLimited ? this.#round : undefined;
      this.#requests.set(number, { round, resolve, reject });
      if (isLimited) this.#watch();
      say(number);
    });
  }

  done(number: number, heads: Heads): void {
    const request = this.#requests.get(number);
    this.#requests.delete(number);
    request?.resolve(heads);
  }

  failed(number: number, error: StoreError): void {
    const request = this.#requests.get(number);
    this.#requests.delete(number);
    request?.reject(error);
  }

  /** Nothing is asked any more. */
  close(error: StoreError): void {
    this.#timer?.cancel();
    for (const number of this.#requests.keys()) this.failed(number, error);
  }

  #watch(): void {
    this.#timer ??= this.#timers.set(this.#deadline / ROUNDS, () => {
      this.#timer = undefined;
      this.#round++;
      this.#expire();
      if (this.#requests.size > 0) this.#watch();
    });
  }

  #expire(): void {
    for (const [number, { round }] of this.#requests) {
      if (round === undefined) continue;
      if (round + ROUNDS >= this.#round) return;
      this.failed(number, new StoreError("unavailable", "no answer in time"));
    }
  }
}
