/** Gateways that do not give up sessions that others claim. */
import type { Clock } from "@canopy/base";

interface Parts {
  readonly clock: Clock;
  /** How many gateways the group knows. */
  readonly gateways: () => number;
  /** Its lease shall not be extended for now. */
  readonly report: (gateway: number) => void;
  /** Lets another node lead; false where that was tried already, or there is nobody. */
  readonly giveUp: () => boolean;
}

/** ms: an accusation that is not repeated is forgotten. */
const FRESH = 1_500;

export class Accusing {
  readonly #parts: Parts;
  /** Gateway → when it was last noted. */
  readonly #noted = new Map<number, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A leader that misses most gateways may be the one that is cut off: then another shall lead. */
  note(gateway: number): void {
    const { clock, gateways, report, giveUp } = this.#parts;
    const now = clock.now();
    this.#noted.set(gateway, now);
    for (const [one, at] of this.#noted) if (now - at >= FRESH) this.#noted.delete(one);
    const isMost = this.#noted.size > 1 && this.#noted.size * 2 > gateways();
    if (!isMost || !giveUp()) report(gateway);
  }
}
