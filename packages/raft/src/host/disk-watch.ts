/** Whether the disk does what it is told. It may say that it fails, or say nothing at all. */
import { PATIENCE } from "./limits.ts";
import type { HostOptions } from "./port.ts";

export type Watched = Pick<HostOptions, "storage" | "logger" | "tick" | "electionTicks">;

export class DiskWatch {
  readonly #options: Watched;
  /** In ticks: how long anybody waits for it. */
  readonly #patience: number;
  #underWay = 0;
  /** In ticks: since when no write has ended while one was under way. */
  #silentSince = 0;
  #hanging: Error | undefined;
  /** In ticks, since when it is waited for in vain. */
  #since: number | undefined;

  constructor(options: Watched) {
    this.#options = options;
    this.#patience = PATIENCE * options.electionTicks;
  }

  /** Why nothing should be given to it now. */
  get failure(): Error | undefined {
    return this.#options.storage.failing ?? this.#hanging;
  }

  began(ticks: number): void {
    if (this.#underWay++ === 0) this.#silentSince = ticks;
  }

  ended(ticks: number): void {
    this.#underWay--;
    this.#silentSince = ticks;
    if (this.#hanging === undefined) return;
    this.#hanging = undefined;
    this.#settled();
  }

  /** The storage says so. */
  onFailing(error: Error | undefined, ticks: number): void {
    if (error === undefined) this.#settled();
    else if (this.#since === undefined) {
      this.#options.logger.error({ error: error.message }, "the disk fails: proposals are refused");
      this.#since = ticks;
    }
  }

  /** True if nobody should wait any longer: now and again, for what was taken just before comes late. */
  tick(ticks: number): boolean {
    if (this.failure === undefined) this.#lookForSilence(ticks);
    if (this.#since === undefined || ticks - this.#since < this.#patience) return false;
    this.#since = ticks;
    return true;
  }

  #lookForSilence(ticks: number): void {
    if (this.#underWay === 0 || ticks - this.#silentSince < this.#patience) return;
    const ms = (ticks - this.#silentSince) * this.#options.tick;
    this.#hanging = new Error(`a write has been under way for ${ms} ms`);
    this.#options.logger.error({ ms }, "the disk hangs: proposals are refused");
    this.#since = this.#silentSince;
  }

  #settled(): void {
    if (this.#since === undefined || this.failure !== undefined) return;
    this.#options.logger.info({}, "the disk works again");
    this.#since = undefined;
  }
}
