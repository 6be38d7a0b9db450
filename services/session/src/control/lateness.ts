import { Deque } from "@canopy/base";
import type { Version } from "@canopy/control";

interface Mark {
  readonly version: Version;
  readonly at: number;
}

/** Since when what has been in force, as far as this leader can say. */
export class Lateness {
  readonly #limit: number;
  /** By version; nothing but the last of those that are older than the limit. */
  readonly #marks = new Deque<Mark>();
  #latest: Version = 0;

  /** `limit`: how long, in ms, a member may take to obey a change. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  note(version: Version, now: number): void {
    if (version <= this.#latest) return;
    this.#latest = version;
    this.#marks.push({ version, at: now });
    this.#prune(now);
  }

  /** Whether something that came after `acknowledged` has been in force for too long. */
  isBehind(acknowledged: Version, now: number): boolean {
    this.#prune(now);
    const first = this.#marks.peek();
    return first !== undefined && first.version > acknowledged && this.#isOld(first, now);
  }

  #prune(now: number): void {
    for (let second = this.#marks.at(1); second; second = this.#marks.at(1)) {
      if (!this.#isOld(second, now)) return;
      this.#marks.shift();
    }
  }

  #isOld({ at }: Mark, now: number): boolean {
    return now - at >= this.#limit;
  }
}
