import { assert } from "@canopy/base";

/** A number that only grows. Loops that count a batch add to it once. */
export interface Counter {
  value: number;
}

/** Names are the topic levels below $SYS that show them: "messages/received". */
const validName = /^[a-z0-9-]+(\/[a-z0-9-]+)*$/;

/**
 * The named numbers of one process. Whoever counts asks once for its counter and keeps it, so that
 * counting is an addition and nothing else; gauges are read only when somebody looks.
 */
export class Metrics {
  readonly #counters: Map<string, Counter> = new Map();
  readonly #gauges: Map<string, () => number> = new Map();

  /** The counter of this name: the same one for everybody who asks. */
  counter(name: string): Counter {
    const existing = this.#counters.get(name);
    if (existing !== undefined) return existing;
    this.#claim(name);
    const counter: Counter = { value: 0 };
    this.#counters.set(name, counter);
    return counter;
  }

  /** A number that is read when it is asked for. A name has one gauge. */
  gauge(name: string, read: () => number): void {
    this.#claim(name);
    this.#gauges.set(name, read);
  }

  #claim(name: string): void {
    assert(validName.test(name), `${name} is no name for a metric`);
    const isTaken = this.#counters.has(name) || this.#gauges.has(name);
    assert(!isTaken, `there is a metric ${name} already`);
  }

  /** All numbers as they are now, by name, in the order of the names. */
  read(): ReadonlyMap<string, number> {
    const found: [string, number][] = [];
    for (const [name, { value }] of this.#counters) found.push([name, value]);
    for (const [name, read] of this.#gauges) found.push([name, read()]);
    return new Map(found.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
}
