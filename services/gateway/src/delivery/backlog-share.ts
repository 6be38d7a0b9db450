import type { Clock } from "@canopy/base";

/** Messages of a backlog under way together: what comes back is delivered within one turn. */
const MOST_ALONE = 1024;
const MOST_BESIDE = 256;
/**
 * Beside live traffic, delivering from a backlog may take one part in so many of the time. That is
 * what is measured; writing to the sockets and the acknowledgements take about twice as much again.
 */
const PARTS = 11;
/** Live traffic has ended when there was none for so long, in ms: one turn without it says nothing. */
const QUIET = 5;
/** What one delivery counts for at most, in ms: a process that stood still meanwhile used no time. */
const LONGEST = 20;

/**
 * How much of the time goes to those who catch up. Alone they may have it all; beside live traffic
 * they get a share of the time, however small the turns are.
 */
export class BacklogShare {
  /** Messages that reads of a backlog under way may bring. */
  messages = 0;
  readonly #clock: Clock;
  #liveTraffic = 0;
  /** When there was some last. */
  #lastLive = Number.NEGATIVE_INFINITY;
  /** Time from which on it is a backlog's turn again. */
  #from = 0;
  #most = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `liveTraffic` has grown since the last call if there was any. */
  beginTurn(liveTraffic: number): void {
    const now = this.#clock.now();
    if (liveTraffic !== this.#liveTraffic) this.#lastLive = now;
    this.#liveTraffic = liveTraffic;
    if (now - this.#lastLive >= QUIET) {
      this.#from = 0;
      this.#most = MOST_ALONE;
    } else this.#most = now < this.#from ? 0 : MOST_BESIDE;
  }

  get hasRoom(): boolean {
    return this.messages < this.#most;
  }

  /**
   * Time until something may be read, in ms, if there is no live traffic meanwhile; undefined where
   * no time is waited for.
   */
  get timeLeft(): number | undefined {
    if (this.#most > 0) return undefined;
    return Math.max(0, Math.min(this.#from, this.#lastLive + QUIET) - this.#clock.now());
  }

  /** What was read has been delivered, since then. */
  spent(began: number): void {
    const now = this.#clock.now();
    const time = Math.min(now - began, LONGEST);
    this.#from = Math.max(this.#from, now - time) + time * PARTS;
  }
}
