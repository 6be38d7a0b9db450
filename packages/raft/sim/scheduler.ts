/** What is still to happen, in simulated milliseconds. Nothing here or above it knows real time. */

export interface Scheduled {
  readonly time: number;
  readonly order: number;
  /** For the trace and the hash of a run. */
  readonly label: string;
  /** Undefined once it was cancelled. */
  run: (() => void) | undefined;
}

/** A binary heap by time; what is due at the same time runs in the order in which it was set. */
export class Scheduler {
  now = 0;
  #order = 0;
  readonly #heap: Scheduled[] = [];

  after(ms: number, label: string, run: () => void): Scheduled {
    return this.at(this.now + Math.max(0, ms), label, run);
  }

  at(time: number, label: string, run: () => void): Scheduled {
    const scheduled = { time: Math.max(time, this.now), order: ++this.#order, label, run };
    this.#push(scheduled);
    return scheduled;
  }

  /** The next event, with the clock moved on to it; undefined if nothing is left until `end`. */
  next(end: number): Scheduled | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.time > end) return undefined;
      this.#pop();
      if (first.run === undefined) continue;
      this.now = first.time;
      return first;
    }
  }

  #push(item: Scheduled): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Scheduled;
      if (!before(item, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Scheduled;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (
        below + 1 < heap.length &&
        before(heap[below + 1] as Scheduled, heap[below] as Scheduled)
      ) {
        below++;
      }
      const child = heap[below] as Scheduled;
      if (!before(child, last)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
