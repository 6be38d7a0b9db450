import type { Clock, Logger } from "@canopy/base";
import {
  OFFSETS_PER_EPOCH,
  type Offset,
  type ShardStore,
  type Store,
  StoreError,
} from "@canopy/store";

/** Between attempts to open a shard whose backend refuses, in ms. */
export const RETRY_AFTER = 250;

/** Between two reports of one shard's failures. */
const REPORT_AFTER = 10_000;

/** After these the shard has to be opened anew, under a new epoch. */
const LOST: ReadonlySet<string> = new Set(["stale-epoch", "closed", "invalid"]);

/** Whether this opening of a shard, or its epoch, is good for nothing any more. */
export function isLost(error: unknown): boolean {
  return error instanceof StoreError && LOST.has(error.code);
}

export interface OwnerParts {
  readonly backend: Store;
  readonly shard: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Asks for ownership under an epoch above this one; it is given by {@link Owner.open}. Rejects where
   * nobody can be asked, or opening failed.
   */
  readonly ask: (above: number) => Promise<void>;
}

/** One shard's backend under the present epoch, and the offsets that are given under it. */
export class Owner {
  readonly shard: number;
  readonly #parts: OwnerParts;
  #store: ShardStore | undefined;
  #isOpen = false;
  #isAsking = false;
  #retryAt = 0;
  #reportAt = Number.NEGATIVE_INFINITY;
  #unreported = 0;
  /** Told when the shard has been opened, or could not be. */
  opened: (error: unknown) => void = () => {};
  /** Told when a new epoch is asked for: until it is given nobody can be sure to own the shard. */
  lost: () => void = () => {};
  /** Under which it is owned; 0: by somebody else, or nobody. */
  #assigned = 0;
  #epoch = 0;
  #counter = 0;
  /** Of the store's failures, those that everybody who gave something has heard of. */
  #failures = 0;

  constructor(parts: OwnerParts) {
    this.shard = parts.shard;
    this.#parts = parts;
  }

  /** Of the present opening, or the last. */
  get epoch(): number {
    return this.#epoch;
  }

  get assigned(): number {
    return this.#assigned;
  }

  /** Undefined while the shard is not open. */
  get current(): ShardStore | undefined {
    return this.#isOpen ? this.#store : undefined;
  }

  /** For what is kept in memory (receipts, retained topics): good also while the backend is away. */
  get known(): ShardStore | undefined {
    return this.#store;
  }

  /**
   * The last offset given; at first, the start of the epoch. Of a shard that is not open: the start of
   * its next epoch.
   */
  get head(): Offset {
    if (this.#isOpen) return this.#epoch * OFFSETS_PER_EPOCH + this.#counter;
    return Math.max(this.#assigned, this.#epoch + 1) * OFFSETS_PER_EPOCH;
  }

  /** Throws while the shard is not open, and sees to it that it is again. */
  require(): ShardStore {
    if (this.#assigned === 0) {
      throw new StoreError("not-owner", `shard ${this.shard} is not owned by this process`);
    }
    if (!this.#isOpen || this.#store === undefined) {
      this.recover();
      throw new StoreError("unavailable", `shard ${this.shard} is not open`);
    }
    return this.#store;
  }

  /** Takes so many offsets and returns the first; 0 when the epoch has not enough left. */
  assign(count: number): Offset {
    if (this.#counter + count >= OFFSETS_PER_EPOCH) return 0;
    const first = this.#epoch * OFFSETS_PER_EPOCH + this.#counter + 1;
    this.#counter += count;
    return first;
  }

  /** This process owns the shard under the epoch from now on. */
  own(epoch: number): void {
    this.#assigned = epoch;
  }

  /** Opens under the epoch that it is owned under; rejects with the reason. */
  async open(): Promise<void> {
    const epoch = this.#assigned;
    const before = this.#store;
    this.#isOpen = false;
    // What is under way there has to end first: its outcome must not depend on the new epoch.
    if (before !== undefined) await before.close();
    try {
      const store = await this.#parts.backend.open(this.shard, epoch);
      if (this.#assigned !== epoch) {
        await store.close();
        throw new StoreError("not-owner", `shard ${this.shard} went to somebody else`);
      }
      this.#store = store;
    } catch (error) {
      this.#failedToOpen(error);
      throw error;
    }
    this.#isAsking = false;
    this.#epoch = epoch;
    this.#failures = this.#store.failures;
    this.#counter = 0;
    this.#isOpen = true;
  }

  /** Opens again what was open once. */
  recover(): void {
    if (!this.#isOpen && this.#store !== undefined) this.reopen();
  }

  /** Asks for another epoch in the background, unless that failed just now; then it returns false. */
  reopen(): boolean {
    if (this.#isAsking) return true;
    if (this.#parts.clock.now() < this.#retryAt) return false;
    this.#isOpen = false;
    this.#isAsking = true;
    this.lost();
    this.#parts.ask(Math.max(this.#assigned, this.#epoch)).catch((error: unknown) => {
      if (this.#isAsking) this.#failedToOpen(error);
    });
    return true;
  }

  /** Appends have failed, and not everybody who gave one has been told. */
  get isFailing(): boolean {
    return this.#store !== undefined && this.#store.failures !== this.#failures;
  }

  /** An append failed: is this opening of the shard still good for anything? */
  failed(store: ShardStore, error: unknown): void {
    if (store !== this.#store) return;
    const { failures } = store;
    // Others that failed with it are told before this runs.
    queueMicrotask(() => {
      if (store === this.#store) this.#failures = failures;
    });
    this.#report(error, "an append failed");
    if (isLost(error)) this.#isOpen = false;
  }

  /** Somebody else owns the shard, or will. */
  async lose(): Promise<void> {
    const store = this.#store;
    this.#assigned = 0;
    this.#isOpen = false;
    this.#isAsking = false;
    this.#store = undefined;
    await store?.close();
  }

  /** Gives the shard up for good. */
  async close(): Promise<void> {
    this.#retryAt = Number.POSITIVE_INFINITY;
    await this.lose();
  }

  #failedToOpen(error: unknown): void {
    this.#isAsking = false;
    this.#retryAt = Math.max(this.#retryAt, this.#parts.clock.now() + RETRY_AFTER);
    if (this.#assigned !== 0) this.#report(error, "a shard could not be opened");
    this.opened(error);
  }

  /** A backend that is down fails with every batch; the log says so from time to time. */
  #report(error: unknown, what: string): void {
    this.#unreported++;
    const { clock, logger } = this.#parts;
    const now = clock.now();
    if (now < this.#reportAt + REPORT_AFTER) return;
    const { shard } = this;
    logger.error({ shard, epoch: this.#epoch, times: this.#unreported, err: error }, what);
    this.#reportAt = now;
    this.#unreported = 0;
  }
}
