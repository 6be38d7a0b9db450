import type { Clock, Logger } from "@canopy/base";
import {
  MAX_EPOCH,
  OFFSETS_PER_EPOCH,
  type Offset,
  type ShardStore,
  type Store,
  StoreError,
} from "@canopy/store";

/** Between attempts to open a shard whose backend refuses. */
const RETRY_AFTER = 250;

/** Between two reports of one shard's failures. */
const REPORT_AFTER = 10_000;

/** After these the shard has to be opened anew, under a new epoch. */
const LOST: ReadonlySet<string> = new Set(["stale-epoch", "closed", "invalid"]);

/** One shard's backend under the present epoch, and the offsets that are given under it. */
export class Owner {
  readonly shard: number;
  readonly #backend: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #store: ShardStore | undefined;
  #isOpen = false;
  #opening: Promise<void> | undefined;
  #retryAt = 0;
  #reportAt = Number.NEGATIVE_INFINITY;
  #unreported = 0;
  /** Told when the shard has been opened again, or could not be. */
  opened: (error: unknown) => void = () => {};
  #epoch = 0;
  #counter = 0;

  constructor(backend: Store, shard: number, clock: Clock, logger: Logger) {
    this.#backend = backend;
    this.shard = shard;
    this.#clock = clock;
    this.#logger = logger;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get opening(): boolean {
    return this.#opening !== undefined;
  }

  /** Undefined while the shard is not open. */
  get current(): ShardStore | undefined {
    return this.#isOpen ? this.#store : undefined;
  }

  /** For what is kept in memory (receipts, retained topics): good also while the backend is away. */
  get known(): ShardStore | undefined {
    return this.#store;
  }

  /** The last offset given; at first, the start of the epoch. */
  get head(): Offset {
    const { epoch, counter } = this.#present();
    return epoch * OFFSETS_PER_EPOCH + counter;
  }

  /** Throws while the shard is not open, and sees to it that it is again. */
  require(): ShardStore {
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

  /** Opens under a new epoch. */
  async open(): Promise<void> {
    const before = this.#store;
    this.#isOpen = false;
    // What is under way there has to end first: its outcome must not depend on the new epoch.
    if (before !== undefined) await before.close();
    const epoch = Math.max(await this.#backend.epoch(this.shard), this.#epoch) + 1;
    if (epoch > MAX_EPOCH) throw new StoreError("invalid", `shard ${this.shard}: epochs used up`);
    this.#store = await this.#backend.open(this.shard, epoch);
    this.#epoch = epoch;
    this.#counter = 0;
    this.#isOpen = true;
  }

  /** Opens again what was open once. */
  recover(): void {
    if (!this.#isOpen && this.#store !== undefined) this.reopen();
  }

  /** Opens again in the background, unless that failed just now; then it returns false. */
  reopen(): boolean {
    if (this.#opening !== undefined) return true;
    if (this.#clock.now() < this.#retryAt) return false;
    const finish = (error: unknown): void => {
      this.#opening = undefined;
      if (error === undefined) {
        this.#logger.info({ shard: this.shard, epoch: this.#epoch }, "shard opened again");
      } else {
        this.#retryAt = Math.max(this.#retryAt, this.#clock.now() + RETRY_AFTER);
        this.#report(error, "a shard could not be opened");
      }
      this.opened(error);
    };
    this.#opening = this.open().then(
      () => finish(undefined),
      (error: unknown) => finish(error),
    );
    return true;
  }

  /** An append failed: is this opening of the shard still good for anything? */
  failed(store: ShardStore, error: unknown): void {
    if (store !== this.#store) return;
    this.#report(error, "an append failed");
    if (error instanceof StoreError && LOST.has(error.code)) this.#isOpen = false;
  }

  /** Gives the shard up for good. */
  async close(): Promise<void> {
    await this.#opening;
    this.#isOpen = false;
    this.#retryAt = Number.POSITIVE_INFINITY;
    await this.#store?.close();
  }

  /** A shard that is not open counts as the start of its next epoch. */
  #present(): { epoch: number; counter: number } {
    if (this.#isOpen) return { epoch: this.#epoch, counter: this.#counter };
    return { epoch: this.#epoch + 1, counter: 0 };
  }

  /** A backend that is down fails with every batch; the log says so from time to time. */
  #report(error: unknown, what: string): void {
    this.#unreported++;
    const now = this.#clock.now();
    if (now < this.#reportAt + REPORT_AFTER) return;
    const { shard } = this;
    this.#logger.error({ shard, epoch: this.#epoch, times: this.#unreported, err: error }, what);
    this.#reportAt = now;
    this.#unreported = 0;
  }
}
