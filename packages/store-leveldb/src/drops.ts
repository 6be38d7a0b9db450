import type { Offset } from "@canopy/store";

interface Drop {
  floor: Offset;
  underWay: number;
}

/**
 * Floors of drops between the moment in which they are given to the committer and that in which they
 * are in memory: whoever writes a floor of the same queue meanwhile writes no lower one.
 */
export class Drops {
  readonly #drops = new Map<string, Drop>();

  /** 0 where nothing is being dropped. */
  floor(queue: string): Offset {
    return this.#drops.get(queue)?.floor ?? 0;
  }

  get queues(): Iterable<string> {
    return this.#drops.keys();
  }

  begin(queue: string, floor: Offset): void {
    const drop = this.#drops.get(queue);
    if (drop === undefined) {
      this.#drops.set(queue, { floor, underWay: 1 });
      return;
    }
    drop.floor = Math.max(drop.floor, floor);
    drop.underWay++;
  }

  end(queue: string): void {
    const drop = this.#drops.get(queue);
    if (drop !== undefined && --drop.underWay === 0) this.#drops.delete(queue);
  }
}
