/** Requests of a gateway on its link that have no answer yet. */
import type { Timer, Timers } from "@canopy/base";
import { type Offset, StoreError } from "@canopy/store";
import { MAX_REQUESTS } from "./limits.ts";

type Heads = readonly Offset[] | undefined;

interface Request {
  /** undefined: it waits as long as the link is there. */
  readonly timer: Timer | undefined;
  readonly resolve: (heads: Heads) => void;
  readonly reject: (error: StoreError) => void;
}

export class Pending {
  readonly #timers: Timers;
  readonly #requests = new Map<number, Request>();
  #last = 0;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /**
   * Settles with the answer to a request of this number; rejects after the deadline (ms), if there is one.
   * @throws StoreError, at once, where too many wait.
   */
  ask(deadline: number | undefined, say: (request: number) => void): Promise<Heads> {
    if (deadline !== undefined && this.#requests.size >= MAX_REQUESTS) {
      throw new StoreError("unavailable", "too many requests wait for the store process");
    }
    const number = ++this.#last;
    return new Promise((resolve, reject) => {
      const late = (): void => {
        this.failed(number, new StoreError("unavailable", "no answer in time"));
      };
      const timer = deadline === undefined ? undefined : this.#timers.set(deadline, late);
      this.#requests.set(number, { timer, resolve, reject });
      say(number);
    });
  }

  done(number: number, heads: Heads): void {
    this.#take(number)?.resolve(heads);
  }

  failed(number: number, error: StoreError): void {
    this.#take(number)?.reject(error);
  }

  failAll(error: StoreError): void {
    for (const number of this.#requests.keys()) this.failed(number, error);
  }

  #take(number: number): Request | undefined {
    const request = this.#requests.get(number);
    this.#requests.delete(number);
    request?.timer?.cancel();
    return request;
  }
}
