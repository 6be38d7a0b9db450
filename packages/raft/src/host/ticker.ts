/** The one timer: calls a function once per tick, after what has arrived by then was handled. */
import type { Clock, Timer, Timers } from "@canopy/base";

export interface TickerOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly defer: (fn: () => void) => void;
  /** ms */
  readonly tick: number;
}

export class Ticker {
  readonly #options: TickerOptions;
  readonly #onTick: () => void;
  #due = 0;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: TickerOptions, onTick: () => void) {
    this.#options = options;
    this.#onTick = onTick;
  }

  start(): void {
    this.#due = this.#options.clock.now() + this.#options.tick;
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    const { clock, timers } = this.#options;
    this.#timer = timers.set(Math.max(0, this.#due - clock.now()), () => this.#wake());
  }

  /**
   * A turn of the event loop that took long looks as if nobody had said anything meanwhile: what
   * has come by then is read first, and twice, since one turn does not read all that waits. Ticks
   * that were missed are not made up for: nobody could answer in between.
   */
  #wake(): void {
    const { clock, defer, tick } = this.#options;
    const late = clock.now() - this.#due > tick;
    this.#due = late ? clock.now() + tick : this.#due + tick;
    const run = () => this.#run();
    defer(late ? () => defer(run) : run);
  }

  #run(): void {
    if (this.#stopped) return;
    this.#onTick();
    if (!this.#stopped) this.#arm();
  }
}
