/** Which shards get an owner now. */
import {
  type Assignment,
  type ControlState,
  missingOwners,
  nextMove,
  type Version,
} from "@canopy/control";
import type { Leases } from "./leases.ts";

export interface PlacingOptions {
  /** Shards that were never owned are given out when so many store processes are there … */
  readonly expectedStores: number;
  /** … or so long, in ms, after the first of them came. */
  readonly placementWait: number;
  /** The shortest time from one move of a shard that evens them out to the next, ms. */
  readonly movePause: number;
}

interface Parts extends PlacingOptions {
  readonly state: () => ControlState;
  readonly leases: Leases;
}

export class Placing {
  readonly #parts: Parts;
  #storesSince: number | undefined;
  /** The last move, which everybody has to know before the next. */
  #moved: { readonly version: Version; readonly at: number } | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Empty where all is as it should be, or something has to be waited for. */
  next(now: number): { readonly assignments: readonly Assignment[]; readonly isMove: boolean } {
    const { view } = this.#parts.state();
    const assignments = missingOwners(view, this.#mayPlaceFirst(now));
    if (assignments.length > 0) return { assignments, isMove: false };
    const move = this.#mayMove(now) ? nextMove(view) : undefined;
    return { assignments: move === undefined ? [] : [move], isMove: true };
  }

  moved(version: Version, now: number): void {
    this.#moved = { version, at: now };
  }

  #mayPlaceFirst(now: number): boolean {
    const { state, expectedStores, placementWait } = this.#parts;
    const count = state().view.stores().length;
    if (count === 0) return false;
    this.#storesSince ??= now;
    return count >= expectedStores || now - this.#storesSince >= placementWait;
  }

  #mayMove(now: number): boolean {
    const { leases, movePause } = this.#parts;
    const moved = this.#moved;
    if (moved === undefined) return true;
    const isKnown =
      leases.allAcknowledged("gateway", moved.version) &&
      leases.allAcknowledged("store", moved.version);
    return isKnown && now - moved.at >= movePause;
  }
}
