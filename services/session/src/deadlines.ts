import { DeadlineHeap, type Timer, type Timers } from "@canopy/base";
import type { SessionKey, SessionState } from "@canopy/session";
import type { Background } from "./background.ts";
import type { GroupClock } from "./group-clock.ts";
import type { Propose } from "./proposing.ts";

/** So much of the clock is lost by a crash at most, while anybody counts on it. */
const TICK = 5_000;
/** Sessions per command. */
const BATCH = 1_000;

interface Parts {
  readonly clock: GroupClock;
  readonly timers: Timers;
  readonly state: () => SessionState;
  readonly propose: Propose;
  readonly background: Background;
}

/** Ends sessions and publishes wills when their time has come, by the group's clock. */
export class Deadlines {
  readonly #parts: Parts;
  readonly #heap = new DeadlineHeap<number>();
  #timer: Timer | undefined;
  /** When the timer is due; Infinity if there is none. */
  #timerAt = Number.POSITIVE_INFINITY;
  #running = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** 0 = nothing is to happen by itself. */
  set(incarnation: number, at: number): void {
    if (at === 0) this.#heap.remove(incarnation);
    else this.#heap.set(incarnation, at);
  }

  /** Brings the timer in line with the earliest deadline. */
  arm(): void {
    if (this.#running || this.#parts.background.stopped || this.#heap.size === 0) return;
    const { clock, timers, state } = this.#parts;
    const at = Math.min(this.#heap.next(), state().clock + TICK);
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = timers.set(Math.max(0, at - clock.now()), () => void this.#wake());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #wake(): Promise<void> {
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#running = true;
    while (!this.#parts.background.stopped && (await this.#step())) {
      // Until nothing is due: time goes on while commands are committed.
    }
    this.#running = false;
    this.arm();
  }

  /** False when nothing is due. */
  async #step(): Promise<boolean> {
    const { clock, state, propose, background } = this.#parts;
    const now = clock.now();
    if (this.#heap.next() <= now) {
      await this.#fire(now);
      return true;
    }
    if (this.#heap.size === 0 || now - state().clock < TICK) return false;
    return background.until("committing the clock", () => propose({ type: "tick" }));
  }

  /** What the state says counts: the heap only says when to look. */
  async #fire(now: number): Promise<void> {
    const { state, propose, background } = this.#parts;
    const expired: SessionKey[] = [];
    const wills: SessionKey[] = [];
    for (const incarnation of this.#heap.popDue(now, BATCH)) {
      const session = state().session(incarnation);
      if (session === undefined) continue;
      const { epoch, expiresAt, willAt } = session;
      if (expiresAt !== 0 && expiresAt <= now) expired.push({ incarnation, epoch });
      else if (willAt !== 0 && willAt <= now) wills.push({ incarnation, epoch });
    }
    const jobs: Promise<boolean>[] = [];
    if (expired.length > 0) {
      jobs.push(
        background.until("ending sessions", () => propose({ type: "expire", sessions: expired })),
      );
    }
    if (wills.length > 0) {
      jobs.push(
        background.until("due wills", () => propose({ type: "fire-will", sessions: wills })),
      );
    }
    await Promise.all(jobs);
  }
}
