import type { Clock } from "@canopy/base";

/**
 * The group's own clock: monotonic time added to the last committed value. A wall clock that jumps
 * changes nothing, and time in which the group was down does not count.
 */
export class GroupClock {
  readonly #clock: Clock;
  #committed = 0;
  #since: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** Goes on from a committed value. */
  resume(committed: number): void {
    this.#committed = committed;
    this.#since = this.#clock.now();
  }

  /** Whole milliseconds. */
  now(): number {
    return this.#committed + Math.floor(this.#clock.now() - this.#since);
  }
}
