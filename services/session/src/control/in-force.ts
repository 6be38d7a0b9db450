import { Deferred } from "@canopy/base";
import type { ControlError, ControlState, Version } from "@canopy/control";
import { unavailable } from "./errors.ts";
import type { Leases } from "./leases.ts";

/** Questions that may wait at once. */
const MOST = 10_000;

interface Waiting {
  readonly version: Version;
  readonly answer: Deferred;
}

/** Those who want to know when all gateways obey something. */
export class InForce {
  readonly #state: () => ControlState;
  readonly #leases: Leases;
  readonly #waiting = new Set<Waiting>();

  constructor(state: () => ControlState, leases: Leases) {
    this.#state = state;
    this.#leases = leases;
  }

  reached(version: Version): Promise<void> {
    if (this.#waiting.size >= MOST) return Promise.reject(unavailable("too many wait for this"));
    const answer = new Deferred();
    this.#waiting.add({ version, answer });
    this.look();
    return answer.promise;
  }

  /** To be called when somebody has acknowledged something, or has ended. */
  look(): void {
    for (const one of this.#waiting) {
      // Before that a gateway may be missing here that joined earlier.
      if (this.#state().version < one.version) continue;
      if (!this.#leases.allAcknowledged("gateway", one.version)) continue;
      this.#waiting.delete(one);
      one.answer.resolve();
    }
  }

  stop(why: ControlError): void {
    for (const { answer } of this.#waiting) answer.reject(why);
    this.#waiting.clear();
  }
}
