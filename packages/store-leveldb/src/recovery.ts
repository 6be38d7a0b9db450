import type { Clock, Timer, Timers } from "@canopy/base";
import { StoreError } from "@canopy/store";
import type { Refusal, WriteGuard } from "./committer.ts";
import type { Database } from "./database.ts";
import { storeErrorOf } from "./errors.ts";

/** Between two attempts to repair. */
const RETRY_MS = 1000;
/** How old a look at the file system's room may be. */
const ROOM_MS = 100;
/** Opening writes the logs' content again, and a manifest. */
const OPENING_MARGIN = 2 ** 20;

/** What is needed of the database. */
export type Repairable = Pick<Database, "folder" | "reopen" | "write" | "room" | "logBytes">;

export interface RecoveryEvents {
  /** Writing is possible again. */
  readonly onRepaired: () => void;
  /** The disk has become nearly full. */
  readonly onLow: () => void;
}

/**
 * What happens when LevelDB fails to write. Its log then ends in the middle of a record, or it
 * refuses all further writes (after a failed sync or compaction), so the database must be closed and
 * opened again, and a record that was reported as failed must be deleted in case it survived.
 *
 * On a full disk the record is torn for certain as long as the database stays open: it stays open
 * for readers, appends fail at once with `full`, and opening waits until there is room. After any
 * other failure nobody knows; the answer waits until the database has been opened again.
 */
export class Recovery implements WriteGuard {
  readonly #database: Repairable;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #reserve: number;
  readonly #events: RecoveryEvents;
  #broken: StoreError | undefined;
  /** Keys that may have survived though writing them failed. */
  #doubtful: Buffer[] = [];
  #nextTry = 0;
  #timer: Timer | undefined;
  #stopped = false;
  #wake: (() => void) | undefined;
  #roomSeen = Number.NEGATIVE_INFINITY;
  #low: StoreError | undefined;
  #repairing: Promise<void> | undefined;

  constructor(
    database: Repairable,
    time: { clock: Clock; timers: Timers },
    reserve: number,
    events: RecoveryEvents,
  ) {
    this.#database = database;
    this.#clock = time.clock;
    this.#timers = time.timers;
    this.#reserve = reserve;
    this.#events = events;
  }

  /** Whether appends are refused for lack of room. */
  get isLow(): boolean {
    this.#lookAtRoom();
    return this.#low !== undefined;
  }

  async ready(): Promise<Refusal | undefined> {
    if (this.#broken !== undefined && this.#clock.now() >= this.#nextTry) await this.#repair();
    if (this.#broken !== undefined) return { error: this.#broken, everything: true };
    this.#lookAtRoom();
    return this.#low === undefined ? undefined : { error: this.#low, everything: false };
  }

  async failed(error: StoreError, keys: readonly Buffer[]): Promise<void> {
    this.#broken = error;
    this.#doubtful.push(...keys);
    await this.#repair();
    if (error.code === "full") return;
    while (this.#broken !== undefined && !this.#stopped) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#timers.set(RETRY_MS, resolve);
      });
      await this.#repair();
    }
    this.#wake = undefined;
  }

  /** The store is being closed: nobody waits any more; one last attempt. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#wake?.();
    if (this.#broken !== undefined) await this.#repair();
  }

  #repair(): Promise<void> {
    this.#repairing ??= this.#repairOnce().finally(() => (this.#repairing = undefined));
    return this.#repairing;
  }

  async #repairOnce(): Promise<void> {
    try {
      if (await this.#hasRoomToOpen()) {
        await this.#database.reopen();
        const ops = this.#doubtful.map((key) => ({ type: "del" as const, key }));
        if (ops.length > 0) await this.#database.write(ops, true);
        this.#doubtful = [];
        this.#broken = undefined;
        this.#roomSeen = Number.NEGATIVE_INFINITY;
        this.#events.onRepaired();
        return;
      }
    } catch (error) {
      this.#broken = storeErrorOf(error);
    }
    this.#tryLater();
  }

  #tryLater(): void {
    this.#nextTry = this.#clock.now() + RETRY_MS;
    this.#timer?.cancel();
    if (this.#stopped) return;
    this.#timer = this.#timers.set(RETRY_MS, () => this.#onTimer());
  }

  #onTimer(): void {
    // While failed() waits it repairs by itself.
    if (this.#broken !== undefined && this.#wake === undefined) void this.#repair();
  }

  async #hasRoomToOpen(): Promise<boolean> {
    if (this.#broken?.code !== "full") return true;
    const room = this.#database.room();
    return room === undefined || room.free > (await this.#database.logBytes()) + OPENING_MARGIN;
  }

  /**
   * Appends stop while there is still room for housekeeping, so that what is read and trimmed can
   * be deleted and a full disk becomes less full by itself.
   */
  #lookAtRoom(): void {
    const now = this.#clock.now();
    if (this.#reserve === 0 || now - this.#roomSeen < ROOM_MS) return;
    this.#roomSeen = now;
    const room = this.#database.room();
    if (room === undefined) return;
    const needed = Math.min(this.#reserve, room.total / 4);
    const wasLow = this.#low !== undefined;
    this.#low =
      room.free >= needed
        ? undefined
        : new StoreError("full", `only ${room.free} bytes are free in ${this.#database.folder}`);
    if (!wasLow && this.#low !== undefined) this.#events.onLow();
  }
}
