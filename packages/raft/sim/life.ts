/** One life of a process, from its start to its crash: what reaches it, and when. */
import type { Clock, Timer, Timers } from "@canopy/base";
import type { Dice } from "./dice.ts";
import type { Scheduled, Scheduler } from "./scheduler.ts";

/** In the order in which an event loop that was stopped takes up again what waits for it. */
type Kind = "timer" | "arrival" | "deferred";
const KINDS: readonly Kind[] = ["timer", "arrival", "deferred"];

interface Waiting {
  readonly kind: Kind;
  readonly label: string;
  readonly run: () => void;
  /** What comes from one place stays in order. */
  readonly source: string;
}

export class Life {
  readonly name: string;
  /** How its clock goes: 1.1 is a tenth too fast. */
  readonly rate: number;
  readonly #scheduler: Scheduler;
  readonly #touch: (life: Life) => void;
  readonly #dice: Dice;
  #alive = true;
  #paused = false;
  #backlog: Waiting[] = [];
  #deferred = 0;

  constructor(
    name: string,
    rate: number,
    scheduler: Scheduler,
    touch: (life: Life) => void,
    dice: Dice,
  ) {
    this.name = name;
    this.rate = rate;
    this.#scheduler = scheduler;
    this.#touch = touch;
    this.#dice = dice;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Whether something was put off until the rest of what arrived is handled: it is in the middle of a turn. */
  get busy(): boolean {
    return this.#deferred > 0;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** From here on nothing reaches it, and nothing that it does has an effect. */
  end(): void {
    this.#alive = false;
    this.#backlog = [];
  }

  /** SIGSTOP: everything waits. */
  pause(): void {
    this.#paused = true;
  }

  /** SIGCONT: expired timers, then what arrived, then what was deferred, each a turn of its own. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const kind of KINDS) {
      const waiting = backlog.filter((one) => one.kind === kind);
      for (const one of kind === "arrival" ? this.#anyOrder(waiting) : waiting) {
        this.#schedule(0, one);
      }
    }
  }

  /** Of several sockets that can be read any may be the first. */
  #anyOrder(waiting: readonly Waiting[]): Waiting[] {
    const sources = [...Map.groupBy(waiting, ({ source }) => source).values()];
    const order: Waiting[] = [];
    while (sources.length > 0) {
      const at = this.#dice.between(0, sources.length - 1);
      const first = sources[at]?.shift();
      if (first === undefined) sources.splice(at, 1);
      else order.push(first);
    }
    return order;
  }

  /** In true milliseconds. */
  later(ms: number, label: string, run: () => void): void {
    this.#schedule(ms, { kind: "arrival", label, run, source: "itself" });
  }

  /** Something arrived from outside in the present event. */
  receive(source: string, label: string, run: () => void): void {
    this.#arrive({ kind: "arrival", label, run, source });
  }

  readonly clock: Clock = {
    now: () => this.#scheduler.now * this.rate + 1000,
    wall: () => 1_800_000_000_000 + Math.floor(this.#scheduler.now * this.rate),
  };

  readonly timers: Timers = {
    set: (ms: number, fn: () => void): Timer => {
      let wanted = true;
      const scheduled = this.#schedule(ms / this.rate, {
        kind: "timer",
        label: "timer",
        source: "itself",
        run: () => {
          if (wanted) fn();
        },
      });
      return {
        cancel: () => {
          wanted = false;
          scheduled.run = undefined;
        },
      };
    },
  };

  readonly defer = (fn: () => void): void => {
    this.#deferred++;
    const run = (): void => {
      this.#deferred--;
      fn();
    };
    this.#schedule(0, { kind: "deferred", label: "deferred", run, source: "itself" });
  };

  #schedule(ms: number, waiting: Waiting): Scheduled {
    return this.#scheduler.after(ms, waiting.label, () => this.#arrive(waiting));
  }

  #arrive(waiting: Waiting): void {
    if (!this.#alive) return;
    if (this.#paused) {
      this.#backlog.push(waiting);
      return;
    }
    this.#touch(this);
    waiting.run();
  }
}
