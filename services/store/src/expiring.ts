import { DeadlineHeap } from "@canopy/base";

/** Which retained values of a shard expire, and when (wall clock). */
export class ExpiringRetained {
  readonly #deadlines = new DeadlineHeap<string>();

  /** 0 = never. */
  set(topic: string, expiresAt: number): void {
    if (expiresAt > 0) this.#deadlines.set(topic, expiresAt);
    else if (this.#deadlines.size > 0) this.#deadlines.remove(topic);
  }

  /** Topics whose value has expired, at most `max`; they are not named again. */
  due(wall: number, max: number): string[] {
    return this.#deadlines.next() <= wall ? this.#deadlines.popDue(wall, max) : [];
  }
}
