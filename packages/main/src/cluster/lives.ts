import { Deferred, type Lifecycle, type Logger } from "@canopy/base";

/** One life of a member of the cluster, with all that it consists of. */
export interface Life extends Lifecycle {
  /** Settles when others count it as dead: nothing that it does counts any more. */
  readonly over: Promise<string>;
  /** Instead of stop(), when it is over: at once, without a word to others. start() may be under way. */
  abandon(): Promise<void>;
}

/**
 * One life after the other in the same process. A process that stood still, or was cut off, and that
 * others count as dead, begins anew: nobody has to restart it, and it keeps its addresses.
 */
export class Lives implements Lifecycle {
  /** Settles with the reason when none can follow. */
  readonly failed: Promise<string>;
  readonly #failed = new Deferred<string>();
  readonly #begin: () => Life;
  readonly #logger: Logger;
  #life: Life | undefined;
  #changing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(begin: () => Life, logger: Logger) {
    this.#begin = begin;
    this.#logger = logger;
    this.failed = this.#failed.promise;
  }

  /** Settles when one has started: the first may be over before. */
  async start(): Promise<void> {
    for (;;) {
      const life = this.#begin();
      this.#life = life;
      const reason = await Promise.race([life.start(), life.over]);
      if (reason === undefined) {
        void life.over.then((why) => {
          this.#changing = this.#next(life, why);
        });
        return;
      }
      await this.#abandon(life, reason);
      if (this.#stopped) return;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const life = this.#life;
    await life?.stop();
    await this.#changing;
  }

  async #next(life: Life, reason: string): Promise<void> {
    if (this.#stopped) return;
    try {
      await this.#abandon(life, reason);
      if (this.#stopped) return;
      await this.start();
      this.#logger.info({}, "the process is a member of the cluster again");
    } catch (error) {
      if (this.#stopped) return;
      this.#failed.resolve(error instanceof Error ? error.message : String(error));
    }
  }

  async #abandon(life: Life, reason: string): Promise<void> {
    this.#logger.warn({ reason }, "the cluster counts this process as dead: it begins anew");
    await life.abandon();
  }
}
