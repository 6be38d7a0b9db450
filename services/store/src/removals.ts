import type { Logger } from "@canopy/base";
import type { Shard } from "./shard.ts";
import { isShared } from "./share/name.ts";

/** Queues that go, in every shard, behind everything that was on its way to them. */
export class Removals {
  readonly #shards: readonly Shard[];
  readonly #logger: Logger;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(shards: readonly Shard[], logger: Logger) {
    this.#shards = shards;
    this.#logger = logger;
  }

  /** Until it settles the queue must not be used again: its new messages would go too. */
  underWay(name: string): Promise<void> | undefined {
    return this.#underWay.get(name);
  }

  remove(name: string): void {
    if (this.#underWay.has(name)) return;
    const removal = this.#removeAll(name).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, removal);
  }

  async idle(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }

  async #removeAll(name: string): Promise<void> {
    await Promise.all(this.#shards.map((shard) => this.#remove(shard, name)));
  }

  async #remove(shard: Shard, name: string): Promise<void> {
    try {
      await shard.pipeline.barrier();
      if (shard.owner.assigned === 0) return;
      // Nothing of it was ever stored here, as for nearly all shards and filters.
      if (!shard.queues.has(name) && !isShared(name)) return;
      await shard.owner.require().remove(name);
      shard.queues.removed(name);
    } catch (error) {
      // What is left of it is found by the maintenance pass, or at the next start.
      this.#logger.warn({ err: error, queue: name, shard: shard.number }, "queue not removed");
    }
  }
}
