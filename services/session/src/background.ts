/** Work that nobody waits for and that has to be done in the end: tried again until it is. */
import type { Logger, Timer, Timers } from "@canopy/base";
import { SessionError } from "@canopy/session";

const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5_000;

export class Background {
  readonly #timers: Timers;
  readonly #logger: Logger;
  /** Pauses under way, and how each is ended early. */
  readonly #pauses = new Map<Timer, () => void>();
  #stopped = false;

  constructor(timers: Timers, logger: Logger) {
    this.#timers = timers;
    this.#logger = logger;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Tries until it succeeds: true. False when it was stopped before that. Never rejects. */
  async until(what: string, work: () => Promise<unknown>): Promise<boolean> {
    for (let pause = FIRST_PAUSE; !this.#stopped; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      try {
        await work();
        return true;
      } catch (error) {
        if (error instanceof SessionError && error.code === "closed") return false;
        const reason = error instanceof Error ? error.message : String(error);
        if (!this.#stopped) this.#logger.warn({ error: reason }, `${what} failed, trying again`);
        await this.#pause(pause);
      }
    }
    return false;
  }

  stop(): void {
    this.#stopped = true;
    for (const [timer, end] of this.#pauses) {
      timer.cancel();
      end();
    }
    this.#pauses.clear();
  }

  #pause(ms: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#timers.set(ms, () => {
        this.#pauses.delete(timer);
        resolve();
      });
      this.#pauses.set(timer, resolve);
    });
  }
}
