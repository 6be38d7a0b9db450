/** The last changes, for those who were away for a short time only. */
import { Deque } from "@canopy/base";
import type { Version, VersionedChange } from "./change.ts";

export class ChangeWindow {
  readonly #capacity: number;
  readonly #changes = new Deque<VersionedChange>();
  /** Of this version and earlier ones something is missing. */
  #floor: Version;

  constructor(capacity: number, floor: Version) {
    this.#capacity = capacity;
    this.#floor = floor;
  }

  add(change: VersionedChange): void {
    this.#changes.push(change);
    if (this.#changes.size <= this.#capacity) return;
    this.#floor = (this.#changes.shift() as VersionedChange).version;
  }

  /** Everything after that version, in order; undefined where that is not known any more. */
  since(version: Version): readonly VersionedChange[] | undefined {
    if (version < this.#floor) return undefined;
    const found: VersionedChange[] = [];
    for (let i = this.#changes.size - 1; i >= 0; i--) {
      const change = this.#changes.at(i) as VersionedChange;
      if (change.version <= version) break;
      found.push(change);
    }
    return found.reverse();
  }
}
