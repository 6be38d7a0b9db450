import { Deferred, type Timer } from "@canopy/base";
import type { ShardPlace } from "@canopy/control";
import { type InterestChange, OFFSETS_PER_EPOCH, type Offset, StoreError } from "@canopy/store";

/** A gateway's interests, counted: store processes hear of the first of a kind and of the last. */
export class InterestBook {
  readonly #plain = new Map<string, number>();
  readonly #transient = new Map<string, number>();

  /** What store processes have to hear of it. */
  change(changes: readonly InterestChange[]): InterestChange[] {
    return changes.filter((change) => this.#count(change));
  }

  /** For a store process that knows none of them. */
  all(): InterestChange[] {
    const all: InterestChange[] = [];
    for (const filter of this.#plain.keys()) all.push({ filter, add: true, transient: false });
    for (const filter of this.#transient.keys()) all.push({ filter, add: true, transient: true });
    return all;
  }

  #count({ filter, add, transient }: InterestChange): boolean {
    const counts = transient ? this.#transient : this.#plain;
    const before = counts.get(filter) ?? 0;
    if (!add && before === 0) return false;
    const left = before + (add ? 1 : -1);
    if (left === 0) counts.delete(filter);
    else counts.set(filter, left);
    return left === 0 || before === 0;
  }
}

/** One call of interests(): settles when every store process that it waits for has answered, or is down. */
export class Asked {
  readonly #done = new Deferred<readonly Offset[]>();
  readonly #left: Set<number>;
  readonly #places: () => readonly ShardPlace[];
  readonly #heads: Offset[] = [];
  timer: Timer | undefined = undefined;

  constructor(stores: Iterable<number>, places: () => readonly ShardPlace[]) {
    this.#left = new Set(stores);
    this.#places = places;
    this.#check();
  }

  get promise(): Promise<readonly Offset[]> {
    return this.#done.promise;
  }

  /** Whether it waits for this one. */
  needs(store: number): boolean {
    return this.#left.has(store);
  }

  /** In force there. */
  answered(store: number, heads: readonly Offset[]): void {
    if (!this.#left.delete(store)) return;
    for (const [shard, head] of heads.entries()) {
      this.#heads[shard] = Math.max(this.#heads[shard] ?? 0, head);
    }
    this.#check();
  }

  /** Its process is no more, or not one of those that must obey. */
  without(store: number): void {
    if (this.#left.delete(store)) this.#check();
  }

  giveUp(): void {
    if (this.#done.settled) return;
    const missing = [...this.#left].join(", ");
    this.#left.clear();
    this.#done.reject(new StoreError("unavailable", `store ${missing} does not answer`));
  }

  #check(): void {
    if (this.#left.size > 0 || this.#done.settled) return;
    this.timer?.cancel();
    this.#done.resolve(
      this.#places().map((place, shard) => headOf(place, this.#heads[shard] ?? 0)),
    );
  }
}

/**
 * The highest head that was told, if it is of the present epoch. Otherwise everything up to the epoch
 * that has not begun: of the present owner, who has not opened the shard, or of the next.
 */
function headOf({ owner, epoch }: ShardPlace, told: Offset): Offset {
  const present = epoch * OFFSETS_PER_EPOCH;
  if (told >= present && told > 0) return told;
  return owner === 0 ? present + OFFSETS_PER_EPOCH : present;
}
