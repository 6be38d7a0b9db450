import type { Clock, Timer, Timers } from "@canopy/base";

interface Pending {
  readonly due: number;
  readonly fn: () => void;
}

/** A clock that stands still until a test advances it, and the timers that go by it. */
export class FakeTime implements Clock, Timers {
  #now: number;
  #wallOffset: number;
  /** In the order in which they will run: by due time, then by when they were set. */
  readonly #pending: Pending[] = [];

  constructor(options: { readonly now?: number; readonly wall?: number } = {}) {
    this.#now = options.now ?? 0;
    this.#wallOffset = (options.wall ?? Date.UTC(2026, 0, 1)) - this.#now;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now + this.#wallOffset;
  }

  set(ms: number, fn: () => void): Timer {
    const timer: Pending = { due: this.#now + Math.max(0, ms), fn };
    const later = this.#pending.findIndex((other) => other.due > timer.due);
    this.#pending.splice(later < 0 ? this.#pending.length : later, 0, timer);
    return { cancel: () => this.#cancel(timer) };
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#pending.length;
  }

  /** When the next timer is due, by this clock; undefined if none is set. */
  get nextDue(): number | undefined {
    return this.#pending[0]?.due;
  }

  /** Moves both clocks on and runs what falls due, each timer at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#pending[0]; next && next.due <= end; next = this.#pending[0]) {
      this.#pending.shift();
      this.#now = Math.max(this.#now, next.due);
      next.fn();
    }
    this.#now = end;
  }

  /** A step of the wall clock alone, as an administrator or NTP makes it. */
  jumpWall(ms: number): void {
    this.#wallOffset += ms;
  }

  #cancel(timer: Pending): void {
    const index = this.#pending.indexOf(timer);
    if (index >= 0) this.#pending.splice(index, 1);
  }
}
