/** Something that has work for the end of a turn of the event loop. */
export interface Dirty {
  dirty: boolean;
  /** Writes what this turn brought, in one write. */
  endTurn(): void;
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * Gathers who has something to write and lets each write once per turn. `coalesce`: the least
 * number of milliseconds between two looks at the sockets, which keeps the generator cheaper than
 * the broker; 0 where a delay would be measured as the broker's.
 */
export class Turn {
  coalesce = 0;
  #waiting: Dirty[] = [];
  #scheduled = false;
  #lastLook = 0;
  readonly #end = (): void => this.#run();

  mark(item: Dirty): void {
    if (item.dirty) return;
    item.dirty = true;
    this.#waiting.push(item);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#end);
  }

  #run(): void {
    this.#scheduled = false;
    const items = this.#waiting;
    this.#waiting = [];
    for (const item of items) {
      item.dirty = false;
      item.endTurn();
    }
    if (this.coalesce > 0) this.#rest();
  }

  #rest(): void {
    const left = this.coalesce - (performance.now() - this.#lastLook);
    // The sockets go on filling while this thread sleeps.
    if (left > 0.01) Atomics.wait(pause, 0, 0, left);
    this.#lastLook = performance.now();
  }
}
