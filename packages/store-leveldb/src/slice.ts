/** How long background work may keep the event loop at a time (ms). */
const SLICE_MS = 2;

/** Cuts long work into slices, between which everything else gets its turn. */
export class Slice {
  #end: number = performance.now() + SLICE_MS;

  /** Whether the slice is used up: call {@link rest} then, where the work can be interrupted. */
  get over(): boolean {
    return performance.now() >= this.#end;
  }

  async rest(): Promise<void> {
    await new Promise(setImmediate);
    this.#end = performance.now() + SLICE_MS;
  }
}
