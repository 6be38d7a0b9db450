/** A view of the control log that follows it by watching, at one session node after the other. */
import { Deferred, type Random, type Timer, type Timers } from "@canopy/base";
import {
  ClusterView,
  type Control,
  ControlError,
  type ReadonlyView,
  type Version,
  type Watch,
} from "@canopy/control";
import { Backoff } from "./control-backoff.ts";

export interface ViewFollowerOptions {
  /** Where one watch has ended the next may be served by another node. */
  readonly control: Pick<Control, "watch">;
  readonly timers: Timers;
  readonly random: Random;
}

interface Waiting {
  readonly version: Version;
  readonly answer: Deferred;
}

export class ViewFollower {
  readonly #options: ViewFollowerOptions;
  readonly #view = new ClusterView();
  readonly #backoff: Backoff;
  #watch: Watch | undefined;
  #next: Timer | undefined;
  #waiting: Waiting[] = [];
  #stopped = false;

  constructor(options: ViewFollowerOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
  }

  get view(): ReadonlyView {
    return this.#view;
  }

  start(): void {
    this.#begin();
  }

  stop(): void {
    this.#stopped = true;
    this.#watch?.close();
    this.#next?.cancel();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { answer } of waiting) answer.reject(stopped());
  }

  /** Settles when the view is at this version, and listeners know it. `closed` after stop(). */
  reached(version: Version): Promise<void> {
    if (this.#view.version >= version) return Promise.resolve();
    if (this.#stopped) return Promise.reject(stopped());
    const answer = new Deferred();
    this.#waiting.push({ version, answer });
    return answer.promise;
  }

  /** Who serves this watch may be cut off itself: the next node is asked. */
  elsewhere(): void {
    if (this.#stopped || this.#watch === undefined) return;
    this.#watch.close();
    this.#again();
  }

  #begin(): void {
    const { control } = this.#options;
    this.#watch = control.watch(this.#view.version, {
      whole: (view) => this.#heard(() => this.#view.load(view)),
      changes: (changes, version) => this.#heard(() => this.#view.apply(changes, version)),
      ended: () => this.#again(),
    });
  }

  #heard(apply: () => void): void {
    this.#backoff.reset();
    apply();
    const { version } = this.#view;
    const reached = this.#waiting.filter((one) => one.version <= version);
    if (reached.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => one.version > version);
    for (const { answer } of reached) answer.resolve();
  }

  #again(): void {
    this.#watch = undefined;
    if (this.#stopped) return;
    this.#next?.cancel();
    this.#next = this.#options.timers.set(this.#backoff.next(), () => this.#begin());
  }
}

function stopped(): ControlError {
  return new ControlError("closed", "the view is not followed any more");
}
