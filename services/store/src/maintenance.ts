import type { Clock, Logger, Timer, Timers } from "@canopy/base";
import type { RetainedPurge } from "./purge.ts";
import type { Shares } from "./share/shares.ts";
import type { Trimmer } from "./trim.ts";

const INTERVAL = 1_000;
/** Between passes that are in a hurry. */
const HURRY = 20;
/** After so many milliseconds of work everybody else has a turn. */
const SLICE = 5;

export interface MaintenanceParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly trimmers: readonly Trimmer[];
  readonly purges: readonly RetainedPurge[];
  readonly shares: Shares;
}

/** What has to be done from time to time, in slices, one pass after the other. */
export class Maintenance {
  readonly #parts: MaintenanceParts;
  #timer: Timer | undefined;
  #pass: Promise<void> | undefined;
  #isUrgent = false;
  #isStopped = false;
  #sliceBegan = 0;
  /** Ends the pause between two slices. */
  #goOn: () => void = () => {};

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#set(INTERVAL);
  }

  /** A queue grows fast: the next pass begins at once. */
  hurry(): void {
    if (this.#isUrgent || this.#isStopped) return;
    this.#isUrgent = true;
    if (this.#pass === undefined) this.#set(HURRY);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#goOn();
    await this.#pass;
  }

  #set(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#parts.timers.set(ms, () => {
      this.#pass = this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isUrgent = false;
    this.#sliceBegan = this.#parts.clock.now();
    try {
      await this.#passOver();
    } catch (error) {
      this.#parts.logger.error({ err: error }, "maintenance failed");
    }
    this.#pass = undefined;
    if (!this.#isStopped) this.#set(this.#isUrgent ? HURRY : INTERVAL);
  }

  async #passOver(): Promise<void> {
    const { clock, trimmers, purges, shares } = this.#parts;
    for (const group of shares.groups) {
      await shares.maintain(group);
      await this.#yield();
    }
    for (const trimmer of trimmers) {
      trimmer.begin(clock.now());
      while (!this.#isStopped && (await trimmer.next())) await this.#yield();
    }
    for (const purge of purges) {
      if (this.#isStopped) return;
      await purge.step(clock.wall());
      await this.#yield();
    }
  }

  async #yield(): Promise<void> {
    const { clock, timers } = this.#parts;
    if (clock.now() - this.#sliceBegan < SLICE || this.#isStopped) return;
    await new Promise<void>((resolve) => {
      this.#goOn = resolve;
      timers.set(0, resolve);
    });
    this.#sliceBegan = clock.now();
  }
}
