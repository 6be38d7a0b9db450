import type { Logger } from "@canopy/base";
import type { Append, RetainedMessage, ShardStore } from "@canopy/store";
import type { ExpiringRetained } from "./expiring.ts";
import type { Retained } from "./retained.ts";
import type { Shard } from "./shard.ts";
import { EMPTY_APPEND } from "./side-writes.ts";

/** Values looked at, or removed, in one step. */
const STEP = 100;
const STEP_BYTES = 1 << 20;
/** Milliseconds until values that could not be removed are tried again. */
const RETRY_AFTER = 10_000;

/** Removes retained values whose time is over [MQTT-3.3.2-5] from one shard, a few at a time. */
export class RetainedPurge {
  readonly #shard: Shard;
  readonly #retained: Retained;
  readonly #logger: Logger;
  /** Where the sweep is that learns, once, what the disk had when the shard was opened. */
  #cursor: string | undefined;
  #isSwept = false;
  /** What it fills: another one after the shard was lost. */
  #expiring: ExpiringRetained | undefined;

  constructor(shard: Shard, retained: Retained, logger: Logger) {
    this.#shard = shard;
    this.#retained = retained;
    this.#logger = logger;
  }

  async step(wall: number): Promise<void> {
    try {
      if (!this.#shard.isReady) return;
      if (this.#expiring !== this.#shard.expiring) {
        this.#expiring = this.#shard.expiring;
        this.#cursor = undefined;
        this.#isSwept = false;
      }
      if (!this.#isSwept) await this.#sweep();
      const due = this.#shard.expiring.due(wall, STEP);
      if (due.length > 0) await this.#remove(due, wall);
    } catch (error) {
      this.#logger.warn({ err: error, shard: this.#shard.number }, "retained values not purged");
    }
  }

  async #sweep(): Promise<void> {
    const { owner, expiring } = this.#shard;
    const limits = { messages: STEP, bytes: STEP_BYTES };
    const page = await owner.require().retained("#", Number.MAX_SAFE_INTEGER, this.#cursor, limits);
    for (const value of page.messages) {
      const expiresAt = this.#retained.expiryOf(value);
      if (expiresAt > 0) expiring.set(value.topic, expiresAt);
    }
    this.#cursor = page.next;
    this.#isSwept = page.next === undefined;
  }

  async #append(store: ShardStore, retained: Append["retained"]): Promise<void> {
    try {
      await store.append({ ...EMPTY_APPEND, retained });
    } catch (error) {
      this.#shard.owner.failed(store, error);
      throw error;
    }
  }

  async #remove(topics: readonly string[], wall: number): Promise<void> {
    const { owner, changes, expiring } = this.#shard;
    // A value that is set meanwhile must stay.
    const changed = changes.watch();
    try {
      const store = owner.require();
      const values = await Promise.all(topics.map((topic) => store.retainedValue(topic)));
      const retained = values
        .filter((value) => value !== undefined && !changed.has(value.topic))
        .filter((value) => this.#retained.isExpired(value as RetainedMessage))
        .map((value) => ({ topic: (value as RetainedMessage).topic, index: -1 }));
      if (retained.length > 0) await this.#append(store, retained);
    } catch (error) {
      for (const topic of topics) expiring.set(topic, wall + RETRY_AFTER);
      throw error;
    } finally {
      changes.unwatch();
    }
  }
}
