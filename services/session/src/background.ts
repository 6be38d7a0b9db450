/** Work that nobody waits for and that has to be done in the end: tried again until it is. */
import type { Clock, Logger, Timer, Timers } from "@canopy/base";
import { SessionError } from "@canopy/session";

const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5_000;
const LOG_INTERVAL = 1_000;

export class Background {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #logger: Logger;
  /** When each kind of failure was last logged: of thousands at once one line says it. */
  readonly #loggedAt = new Map<string, number>();
  /** Pauses under way, and how each is ended early. */
  readonly #pauses = new Map<Timer, () => void>();
  #stopped = false;

  constructor(clock: Clock, timers: Timers, logger: Logger) {
    this.#clock = clock;
    this.#timers = timers;
    this.#logger = logger;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Tries until it succeeds: true. False when it was stopped before that. Never rejects. */
  async until(what: string, work: () => Promise<unknown>): Promise<boolean> {
    for (let failures = 0; !this.#stopped; ) {
      try {
        await work();
        return true;
      } catch (error) {
        if (error instanceof SessionError && error.code === "closed") return false;
        await this.afterFailure(what, ++failures, error);
      }
    }
    return false;
  }

  /** Waits before the next try, longer after each failure. False when it was stopped. */
  async afterFailure(what: string, failures: number, error: unknown): Promise<boolean> {
    if (this.#stopped) return false;
    this.#log(what, failures, error);
    await this.#pause(Math.min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE));
    return !this.#stopped;
  }

  /** What waits is tried again now. */
  hurry(): void {
    for (const [timer, end] of this.#pauses) {
      timer.cancel();
      end();
    }
    this.#pauses.clear();
  }

  stop(): void {
    this.#stopped = true;
    this.hurry();
  }

  #log(what: string, failures: number, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    // What the next try mends, such as a will whose shard has no owner yet at a start, needs nobody.
    if (failures === 1) {
      this.#logger.debug({ error: reason }, `${what} failed, trying again`);
      return;
    }
    const now = this.#clock.now();
    if (now - (this.#loggedAt.get(what) ?? Number.NEGATIVE_INFINITY) < LOG_INTERVAL) return;
    this.#loggedAt.set(what, now);
    this.#logger.warn({ error: reason, failures }, `${what} failed, trying again`);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#timers.set(ms, () => {
        this.#pauses.delete(timer);
        resolve();
      });
      this.#pauses.set(timer, resolve);
    });
  }
}
