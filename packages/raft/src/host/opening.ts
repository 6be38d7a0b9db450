/** A group on its way to be opened: it can be ended, and does not wait for ever for a disk that hangs. */
import type { GroupId } from "../storage/port.ts";

/** Why a group is not opened. */
export interface OpenErrorDetails {
  /**
   * `disk`: it fails or hangs, or an earlier replica of the group is still being given up on it, so
   * later may do; `closed`: by close() or stop(); `open`: it is, or is being opened.
   */
  readonly code: "disk" | "closed" | "open";
  readonly group: GroupId;
}

export class OpenError extends Error {
  override readonly name = "OpenError";
  readonly code: OpenErrorDetails["code"];
  readonly group: GroupId;

  constructor(message: string, details: OpenErrorDetails) {
    super(message);
    this.code = details.code;
    this.group = details.group;
  }
}

interface Wait {
  /** In ticks. */
  readonly since: number;
  readonly giveUp: () => void;
}

/**
 * What all groups that are being opened want of the disk. As long as something of it gets done it
 * works: with very many at once, one may wait long.
 */
export class DiskWaits {
  /** In ticks. */
  readonly #patience: number;
  readonly #waits = new Set<Wait>();
  #ticks = 0;
  #doneAt = 0;

  constructor(patience: number) {
    this.#patience = patience;
  }

  /** To be called when it is done: the answer. */
  begin(giveUp: () => void): () => void {
    const wait = { since: this.#ticks, giveUp };
    this.#waits.add(wait);
    return () => {
      this.#doneAt = this.#ticks;
      this.#waits.delete(wait);
    };
  }

  tick(ticks: number): void {
    this.#ticks = ticks;
    const late = ticks - this.#patience;
    if (this.#waits.size === 0 || this.#doneAt > late) return;
    for (const { since, giveUp } of this.#waits) if (since <= late) giveUp();
  }
}

export class Opening {
  readonly #waits: DiskWaits;
  readonly #late: () => Error;
  readonly #end = Promise.withResolvers<never>();
  #error: Error | undefined;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #finished = Promise.withResolvers<void>();

  /** `late`: what it is ended with when the disk has kept it waiting for too long. */
  constructor(waits: DiskWaits, late: () => Error) {
    this.#waits = waits;
    this.#late = late;
    this.#end.promise.catch(() => {});
  }

  /** Who waits for it is told. What the disk has begun goes on. */
  end(error: Error): void {
    this.#error ??= error;
    this.#end.reject(this.#error);
  }

  /** Throws if it was ended. */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /** Rejects when this is ended. */
  orEnd<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#end.promise]);
  }

  /** The same for what the disk does: ended also when that takes too long. */
  disk<T>(work: Promise<T>): Promise<T> {
    const leave = this.#waits.begin(() => this.end(this.#late()));
    const underWay = work
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        leave();
        this.#underWay.delete(underWay);
      });
    this.#underWay.add(underWay);
    return this.orEnd(work);
  }

  /** The disk has not done all yet that this has begun. */
  get busy(): boolean {
    return this.#underWay.size > 0;
  }

  /** Settles when the disk has. */
  async idle(): Promise<void> {
    while (this.busy) await Promise.all(this.#underWay);
  }

  /** The group is open, or will not be. */
  finish(): void {
    this.#finished.resolve();
  }

  get finished(): Promise<void> {
    return this.#finished.promise;
  }
}
