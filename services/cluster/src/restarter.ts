import { systemTimers, type Timer } from "@canopy/base";
import type { ClusterProcess } from "./cluster-process.ts";

/** ms from the end of a process to its next start: one that can't run must not take all the time. */
const PAUSE = 500;

/** Starts processes again that have ended, though nobody stopped them. */
export class Restarter {
  readonly #onStarted: () => void;
  readonly #timers = new Set<Timer>();
  #stopped = false;

  /** `onStarted` is told of each start. */
  constructor(onStarted: () => void) {
    this.#onStarted = onStarted;
  }

  watch(processes: readonly ClusterProcess[]): void {
    for (const one of processes) void one.ended.then(() => this.#again(one));
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
  }

  #again(one: ClusterProcess): void {
    if (this.#stopped) return;
    const timer = systemTimers.set(PAUSE, () => {
      this.#timers.delete(timer);
      // Where it ends again before it is ready, that is its end like any other.
      one.start().catch(() => {});
      this.#onStarted();
      void one.ended.then(() => this.#again(one));
    });
    this.#timers.add(timer);
  }
}
