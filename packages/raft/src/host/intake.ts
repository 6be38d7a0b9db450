/** Receives the snapshots that leaders send to one group: the newest stream counts. */
import type { SnapshotFiles, SnapshotReceiver } from "../storage/port.ts";
import type { SnapshotIntake, SnapshotOffer } from "../transport/port.ts";

export class Intakes {
  readonly #snapshots: SnapshotFiles;
  /** Called with an offer whose snapshot is here, whole and checked. */
  readonly #received: (offer: SnapshotOffer) => void;
  #current: Intake | undefined;
  /** One after the other: two would write the same file. */
  #opening: Promise<unknown> = Promise.resolve();

  constructor(snapshots: SnapshotFiles, received: (offer: SnapshotOffer) => void) {
    this.#snapshots = snapshots;
    this.#received = received;
  }

  /** Rejects if it can't be taken now. An earlier one that still runs is broken off. */
  open(offer: SnapshotOffer): Promise<SnapshotIntake> {
    const opening = this.#opening.then(async () => {
      await this.#current?.close();
      const receiver = await this.#snapshots.receive(offer.group, offer.meta, offer.size);
      this.#current = new Intake(receiver, () => this.#received(offer));
      return this.#current;
    });
    this.#opening = opening.catch(() => {});
    return opening;
  }

  async close(): Promise<void> {
    await this.#opening;
    await this.#current?.close();
  }
}

/** For a snapshot of which everything is here already; `received` is told at its end. */
export function nothingToTake(offer: SnapshotOffer, received: () => void): SnapshotIntake {
  const nothing = () => Promise.resolve();
  const finish = () => {
    received();
    return Promise.resolve();
  };
  return { received: offer.size, part: nothing, finish, close: nothing };
}

class Intake implements SnapshotIntake {
  readonly received: number;
  readonly #receiver: SnapshotReceiver;
  readonly #done: () => void;
  #closed = false;
  /** What is being written: it ends before the receiver is closed. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(receiver: SnapshotReceiver, done: () => void) {
    this.#receiver = receiver;
    this.#done = done;
    this.received = receiver.received;
  }

  part(position: number, bytes: Uint8Array): Promise<void> {
    return this.#next(() => this.#receiver.part(position, bytes));
  }

  finish(): Promise<void> {
    return this.#next(async () => {
      await this.#receiver.finish();
      this.#closed = true;
      this.#done();
    });
  }

  async close(): Promise<void> {
    await this.#last;
    if (this.#closed) return;
    this.#closed = true;
    await this.#receiver.close();
  }

  #next(work: () => Promise<void>): Promise<void> {
    const next = this.#last.then(() => {
      if (this.#closed) throw new Error("broken off");
      return work();
    });
    this.#last = next.catch(() => {});
    return next;
  }
}
