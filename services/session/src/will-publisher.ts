import { type Clock, DecodeError, Deque, type Logger } from "@canopy/base";
import type { PendingWill, SessionKey, WillPublication } from "@canopy/session";
import { StoreError } from "@canopy/store";
import type { Background } from "./background.ts";
import type { Propose } from "./proposing.ts";
import { stampRecord } from "./record-stamp.ts";
import { Turn } from "./turn.ts";

/** Wills on their way at the same time: when a gateway dies, all of its clients' fall due. */
const IN_FLIGHT = 256;

interface Job {
  readonly will: PendingWill;
  failures: number;
  /** How often a shard had got an owner when it was tried last. */
  asOf: number;
}

interface Parts {
  readonly group: number;
  readonly term: number;
  /** To the owner of the topic's shard. */
  readonly publish: (will: WillPublication) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly propose: Propose;
  readonly background: Background;
  /** No will of this session is on its way any more. */
  readonly onIdle: (incarnation: number) => void;
}

/**
 * Publishes wills, then commits that they are done. A crash between the two publishes again, and
 * the store sees that it has it already. Wills of one session go one after the other, so that the
 * store needs to remember the last one only.
 */
export class WillPublisher {
  readonly #parts: Parts;
  readonly #queue = new Deque<Job>();
  #inFlight = 0;
  #owners = 0;
  /** Session → its wills behind the one that is on its way or waits its turn. */
  readonly #lanes = new Map<number, PendingWill[]>();
  readonly #done: Turn<SessionKey>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#done = new Turn((wills) => void this.#commit(wills));
  }

  isBusy(incarnation: number): boolean {
    return this.#lanes.has(incarnation);
  }

  add(will: PendingWill): void {
    const lane = this.#lanes.get(will.incarnation);
    if (lane !== undefined) {
      lane.push(will);
      return;
    }
    this.#lanes.set(will.incarnation, []);
    this.#queue.push({ will, failures: 0, asOf: 0 });
  }

  /** A shard has an owner: what waits for one goes now, and is tried as if for the first time. */
  owned(): void {
    this.#owners++;
    this.#parts.background.hurry();
  }

  /** Starts as many as may be on their way. Not from within a command's effects. */
  flush(): void {
    while (this.#inFlight < IN_FLIGHT && !this.#parts.background.stopped) {
      const job = this.#queue.shift();
      if (job === undefined) return;
      this.#inFlight++;
      void this.#publish(job);
    }
  }

  async #publish(job: Job): Promise<void> {
    const { publish, clock, logger, group, term } = this.#parts;
    const { incarnation, epoch, expiry } = job.will;
    if (job.asOf !== this.#owners) job.failures = 0;
    job.asOf = this.#owners;
    try {
      const record = stampRecord(job.will.record, expiry, clock.wall());
      await publish({ group, term, incarnation, epoch, record });
      this.#done.add({ incarnation, epoch });
    } catch (error) {
      if (isInvalid(error)) {
        logger.error({ incarnation, error: String(error) }, "a will can't be published at all");
        this.#done.add({ incarnation, epoch });
      } else {
        void this.#again(job, error);
      }
    }
    this.#inFlight--;
    this.flush();
  }

  /** Waits without keeping others from being published. */
  async #again(job: Job, error: unknown): Promise<void> {
    if (job.asOf !== this.#owners) job.failures = 0;
    job.failures++;
    const { background } = this.#parts;
    if (!(await background.afterFailure("publishing a will", job.failures, error))) return;
    this.#queue.push(job);
    this.flush();
  }

  async #commit(wills: readonly SessionKey[]): Promise<void> {
    const { propose, background, onIdle } = this.#parts;
    const done = await background.until("noting that wills are published", () =>
      propose({ type: "will-done", wills }),
    );
    if (!done) return;
    for (const { incarnation } of wills) {
      const next = this.#lanes.get(incarnation)?.shift();
      if (next !== undefined) {
        this.#queue.push({ will: next, failures: 0, asOf: 0 });
      } else {
        this.#lanes.delete(incarnation);
        onIdle(incarnation);
      }
    }
    this.flush();
  }
}

/** No store will ever take it: trying again would be for ever. */
function isInvalid(error: unknown): boolean {
  if (error instanceof RangeError || error instanceof DecodeError) return true;
  return error instanceof StoreError && error.code === "invalid";
}
