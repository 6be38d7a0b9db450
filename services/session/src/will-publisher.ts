import { type Clock, Deque } from "@canopy/base";
import type { PendingWill, RouteSink, SessionKey } from "@canopy/session";
import type { Background } from "./background.ts";
import { stampRecord } from "./record-stamp.ts";
import type { Propose } from "./replica.ts";
import { Turn } from "./turn.ts";

/** Wills on their way at the same time: when a gateway dies, all of its clients' fall due. */
const IN_FLIGHT = 256;

interface Parts {
  readonly sink: Pick<RouteSink, "publishWill">;
  readonly clock: Clock;
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
  readonly #queue = new Deque<PendingWill>();
  #inFlight = 0;
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
    this.#queue.push(will);
  }

  /** Starts as many as may be on their way. Not from within a command's effects. */
  flush(): void {
    while (this.#inFlight < IN_FLIGHT) {
      const will = this.#queue.shift();
      if (will === undefined) return;
      this.#inFlight++;
      void this.#publish(will);
    }
  }

  async #publish(will: PendingWill): Promise<void> {
    const { sink, clock, background } = this.#parts;
    const { incarnation, epoch } = will;
    const stored = await background.until("publishing a will", () =>
      sink.publishWill(incarnation, epoch, stampRecord(will.record, will.expiry, clock.wall())),
    );
    this.#inFlight--;
    if (stored) this.#done.add({ incarnation, epoch });
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
        this.#queue.push(next);
      } else {
        this.#lanes.delete(incarnation);
        onIdle(incarnation);
      }
    }
    this.flush();
  }
}
