/** One life of a gateway or store process, as the control plane knows it. */
import type { Clock, Random, Timer, Timers } from "@canopy/base";
import {
  type Control,
  ControlError,
  type Incarnation,
  type JoinRequest,
  type Version,
  type Watch,
} from "@canopy/control";
import { Backoff } from "./control-backoff.ts";

/** Told in this order: expired and renewed in turn, then ended, once. */
export interface LeaseOwner {
  /** No answer came in time: from here on nothing may be acknowledged. It may be renewed yet. */
  expired(): void;
  renewed(): void;
  /** Others count it as dead: its process has to join anew, as another life. */
  ended(error: ControlError): void;
  /** It is not renewed, as it obeys nothing newer: whom it watches may be the one that is cut off. */
  behind(): void;
}

export interface LeaseKeeperOptions extends Omit<JoinRequest, "token"> {
  readonly control: Control;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly owner: LeaseOwner;
  /** What clocks may run apart in a lease, as a part of it; default 1/10. */
  readonly margin?: number;
}

const MARGIN = 0.1;
/** A stream that broke has to be back before the leader misses it. */
const LONGEST_ABSENCE = 200;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #backoff: Backoff;
  readonly #attendBackoff: Backoff;
  #incarnation: Incarnation = 0;
  /** ms; 0: it never ends. */
  #lease = 0;
  #validUntil = Number.NEGATIVE_INFINITY;
  /** What is obeyed, and what of it the leader has heard. */
  #acknowledged: Version = 0;
  #told: Version = 0;
  #renewing = false;
  #nextRenewal: Timer | undefined;
  #expiry: Timer | undefined;
  #isExpired = false;
  #attendance: Watch | undefined;
  #nextAttendance: Timer | undefined;
  #stopped = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random, 500);
    this.#attendBackoff = new Backoff(options.random, LONGEST_ABSENCE);
  }

  /** 0 before join() has settled. */
  get incarnation(): Incarnation {
    return this.#incarnation;
  }

  /** Called once. Rejects with what Control says to it. */
  async join(): Promise<Incarnation> {
    const { control, clock, random, kind, name, address, disk } = this.#options;
    const token = `${random.next()} ${random.next()}`;
    const sent = clock.now();
    const joined = await control.join({ kind, name, address, disk, token });
    this.#incarnation = joined.incarnation;
    this.#acknowledged = joined.incarnation;
    this.#told = joined.incarnation;
    this.#lease = joined.lease;
    if (this.#stopped) return joined.incarnation;
    this.#extended(sent);
    if (kind === "gateway" && this.#lease > 0) this.#attend();
    return joined.incarnation;
  }

  /** Whether anything may be acknowledged at `now`, by the same clock: to be asked where that is done. */
  valid(now: number): boolean {
    return now < this.#validUntil;
  }

  /** Everything up to this version is obeyed here. The leader hears of it soon. */
  acknowledge(version: Version): void {
    if (version <= this.#acknowledged) return;
    this.#acknowledged = version;
    // Those of one turn go together.
    queueMicrotask(() => void this.#renew());
  }

  /** A planned end: settles when it is committed. stop() comes first, so that nobody is told of it. */
  async leave(): Promise<void> {
    this.stop();
    if (this.#incarnation !== 0) await this.#options.control.leave(this.#incarnation);
  }

  /** Nothing is renewed any more, and the owner hears nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#validUntil = Number.NEGATIVE_INFINITY;
    this.#nextRenewal?.cancel();
    this.#expiry?.cancel();
    this.#nextAttendance?.cancel();
    this.#attendance?.close();
  }

  async #renew(): Promise<void> {
    if (this.#renewing || this.#stopped || this.#incarnation === 0) return;
    this.#renewing = true;
    this.#nextRenewal?.cancel();
    const { control, clock } = this.#options;
    const sent = clock.now();
    const acknowledged = this.#acknowledged;
    try {
      await control.renew({ incarnation: this.#incarnation, acknowledged });
      this.#renewing = false;
      this.#told = acknowledged;
      this.#backoff.reset();
      if (this.#stopped) return;
      // A process that stood still may see the answer before its timer.
      this.#expire();
      this.#extended(sent);
    } catch (error) {
      this.#renewing = false;
      if (!this.#stopped) this.#failed(error);
    }
  }

  #extended(sent: number): void {
    const { clock, owner, margin = MARGIN } = this.#options;
    const now = clock.now();
    if (this.#lease === 0) {
      this.#validUntil = Number.POSITIVE_INFINITY;
    } else {
      this.#validUntil = Math.max(this.#validUntil, sent + this.#lease * (1 - margin));
      this.#expiry?.cancel();
      this.#watchExpiry(now);
      this.#renewIn(sent + this.#lease / 3 - now);
    }
    if (this.#told < this.#acknowledged) void this.#renew();
    if (!this.#isExpired || !this.valid(now)) return;
    this.#isExpired = false;
    owner.renewed();
  }

  /** Timers may fire a little early: then it is looked at again. */
  #watchExpiry(now: number): void {
    this.#expiry = this.#options.timers.set(Math.max(1, this.#validUntil - now), () => {
      const later = this.#options.clock.now();
      if (this.valid(later)) this.#watchExpiry(later);
      else this.#expire();
    });
  }

  #failed(error: unknown): void {
    const { owner } = this.#options;
    const code = error instanceof ControlError ? error.code : "unavailable";
    if (code === "ended") {
      this.#end(error as ControlError);
      return;
    }
    this.#renewIn(this.#backoff.next());
    if (code === "behind") owner.behind();
  }

  #end(error: ControlError): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.owner.ended(error);
  }

  /** Only to tell the owner: what counts is valid(). */
  #expire(): void {
    if (this.#isExpired || this.valid(this.#options.clock.now())) return;
    this.#isExpired = true;
    this.#options.owner.expired();
  }

  #renewIn(ms: number): void {
    this.#nextRenewal?.cancel();
    this.#nextRenewal = this.#options.timers.set(Math.max(0, ms), () => void this.#renew());
  }

  #attend(): void {
    const { control, timers } = this.#options;
    const since = this.#options.clock.now();
    this.#attendance = control.attend(this.#incarnation, {
      ended: (error) => {
        if (error.code === "ended") {
          this.#end(error);
          return;
        }
        if (this.#options.clock.now() - since > LONGEST_ABSENCE) this.#attendBackoff.reset();
        if (this.#stopped) return;
        this.#nextAttendance = timers.set(this.#attendBackoff.next(), () => this.#attend());
      },
    });
  }
}
