/** Links between nodes: they delay, lose, repeat, break, and are cut in one direction or both. */
import type { DiskId } from "../src/storage/port.ts";
import type {
  Batch,
  NodeName,
  SnapshotIntake,
  SnapshotOffer,
  Transport,
  TransportHandler,
} from "../src/transport/port.ts";
import { decodeBatch, encodeBatch } from "../src/wire/batch.ts";
import type { Dice } from "./dice.ts";
import type { Life } from "./life.ts";
import type { Scheduler } from "./scheduler.ts";

export interface NetworkTrouble {
  /** Mean ms on the way. */
  delay: number;
  /** Probabilities per batch. */
  loss: number;
  duplicate: number;
  breaks: number;
  refuse: number;
  /** Order is not kept, and what was under way survives the end of a connection: a stress for the core. */
  disorder: boolean;
}

/** Told of everything that goes into the network and comes out of it. */
export interface NetworkObserver {
  onSend(from: NodeName, to: NodeName, batch: Batch): void;
  onDeliver(from: NodeName, to: NodeName, batch: Batch): void;
  onEvent(who: NodeName, what: string): void;
}

interface Attached {
  readonly life: Life;
  readonly handler: TransportHandler;
}

class Link {
  cut = false;
  /** No batch arrives before an earlier one. */
  lastArrival = 0;
  /** Which connection; what is under way on an older one is lost. */
  connection = 0;
  slowness = 1;
}

/** What a caller waits for when the other side does not answer. */
const CALL_TIMEOUT = 400;

export class SimNetwork {
  readonly counts = { sent: 0, lost: 0, duplicated: 0, broken: 0, refused: 0 };
  readonly trouble: NetworkTrouble;
  readonly #scheduler: Scheduler;
  readonly #dice: Dice;
  readonly #observer: NetworkObserver;
  readonly #attached = new Map<NodeName, Attached>();
  readonly #links = new Map<string, Link>();

  constructor(
    scheduler: Scheduler,
    dice: Dice,
    trouble: NetworkTrouble,
    observer: NetworkObserver,
  ) {
    this.#scheduler = scheduler;
    this.#dice = dice;
    this.trouble = trouble;
    this.#observer = observer;
  }

  cut(from: NodeName, to: NodeName, cut: boolean): void {
    this.#link(from, to).cut = cut;
  }

  slow(from: NodeName, to: NodeName, factor: number): void {
    this.#link(from, to).slowness = factor;
  }

  heal(): void {
    for (const link of this.#links.values()) {
      link.cut = false;
      link.slowness = 1;
      link.lastArrival = 0;
      // What is still under way came from a time of trouble.
      link.connection++;
    }
  }

  /** The process of a node is gone: its connections end. */
  detach(name: NodeName): void {
    this.#attached.delete(name);
    for (const [key, link] of this.#links) {
      const [from, to] = key.split(">") as [string, string];
      if (from !== name && to !== name) continue;
      link.connection++;
      if (to === name && this.#dice.chance(0.7)) this.#unreachable(from, to);
    }
  }

  transport(life: Life): Transport {
    const name = life.name;
    return {
      start: (handler) => {
        if (life.alive) this.#attached.set(name, { life, handler });
        return Promise.resolve();
      },
      stop: () => {
        if (life.alive) this.#attached.delete(name);
        return Promise.resolve();
      },
      send: (to, batch) => !life.alive || this.#send(name, to, batch),
      openSnapshot: (to, disk, offer) => this.#openSnapshot(life, to, disk, offer),
    };
  }

  #send(from: NodeName, to: NodeName, batch: Batch): boolean {
    const { trouble } = this;
    if (this.#dice.chance(trouble.refuse)) {
      this.counts.refused++;
      return false;
    }
    this.#observer.onSend(from, to, batch);
    this.counts.sent++;
    const link = this.#link(from, to);
    if (this.#dice.chance(trouble.breaks)) this.#break(from, to, link);
    if (link.cut || this.#dice.chance(trouble.loss)) {
      this.counts.lost++;
      if (this.#dice.chance(0.1)) this.#unreachable(from, to);
      return true;
    }
    const bytes = encodeBatch(batch);
    this.#dispatch(from, to, link, bytes);
    if (this.#dice.chance(trouble.duplicate)) {
      this.counts.duplicated++;
      this.#dispatch(from, to, link, bytes);
    }
    return true;
  }

  #dispatch(from: NodeName, to: NodeName, link: Link, bytes: Buffer): void {
    const { disorder } = this.trouble;
    const { connection } = link;
    const arrival = this.#scheduler.now + this.#delay(link);
    if (!disorder) link.lastArrival = Math.max(link.lastArrival, arrival);
    this.#scheduler.at(disorder ? arrival : link.lastArrival, "batch", () => {
      const there = this.#attached.get(to);
      if (
        (connection !== link.connection && !this.trouble.disorder) ||
        link.cut ||
        there === undefined
      ) {
        this.counts.lost++;
        if (there === undefined && this.#dice.chance(0.3)) this.#unreachable(from, to);
        return;
      }
      there.life.receive(from, "batch", () => {
        const batch = decodeBatch(bytes);
        this.#observer.onDeliver(from, to, batch);
        there.handler.onBatch(batch);
      });
    });
  }

  #break(from: NodeName, to: NodeName, link: Link): void {
    this.counts.broken++;
    link.connection++;
    this.#unreachable(from, to);
  }

  #unreachable(from: NodeName, to: NodeName): void {
    const sender = this.#attached.get(from);
    sender?.life.later(this.#dice.exponential(2), "unreachable", () => {
      this.#observer.onEvent(from, `can't reach ${to}`);
      sender.handler.onUnreachable(to);
    });
  }

  async #openSnapshot(
    life: Life,
    to: NodeName,
    disk: DiskId,
    offer: SnapshotOffer,
  ): Promise<SnapshotIntake> {
    const opened = await this.#call(life, to, "snapshot offer", async (there) => {
      const intake = await there.handler.onSnapshot(life.name, disk, offer);
      return { intake, there, received: intake.received };
    });
    const { intake, there } = opened;
    let open = true;
    const close = (): void => {
      if (!open) return;
      open = false;
      // The stream is gone, and the receiver's end of it learns that.
      there.life.later(this.#dice.exponential(1), "snapshot stream ends", () => {
        intake.close().catch(() => undefined);
      });
    };
    const call = async (what: string, act: () => Promise<void>): Promise<void> => {
      if (!open) throw new Error("the stream is closed");
      try {
        await this.#call(life, to, what, act, there);
      } catch (error) {
        close();
        throw error;
      }
    };
    const parts: { position: number; bytes: Uint8Array }[] = [];
    return {
      received: opened.received,
      part: (position, bytes) => {
        const copy = Uint8Array.from(bytes);
        parts.push({ position, bytes: copy });
        return call(`snapshot part ${position}+${copy.length}`, () => intake.part(position, copy));
      },
      finish: async () => {
        await call("snapshot end", () => intake.finish());
        if (this.trouble.disorder && this.#dice.chance(0.5)) {
          this.#repeat(there, () => there.handler.onSnapshot(life.name, disk, offer), parts);
        }
      },
      close: () => {
        close();
        return Promise.resolve();
      },
    };
  }

  /** The whole stream comes once more, later. */
  #repeat(
    there: Attached,
    open: () => Promise<SnapshotIntake>,
    parts: readonly { position: number; bytes: Uint8Array }[],
  ): void {
    this.counts.duplicated++;
    this.#scheduler.after(this.#dice.exponential(150), "snapshot comes again", () => {
      there.life.receive("again", "snapshot again", () => {
        this.#observer.onEvent(there.life.name, "a snapshot comes again");
        const again = async (): Promise<void> => {
          const intake = await open();
          for (const { position, bytes } of parts) {
            if (position >= intake.received) await intake.part(position, bytes);
          }
          await intake.finish();
        };
        again().catch(() => undefined);
      });
    });
  }

  /** Runs `act` over there and brings the answer back, or an error after a while. */
  #call<T>(
    life: Life,
    to: NodeName,
    what: string,
    act: (there: Attached) => Promise<T>,
    same?: Attached,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const give = (ms: number, settle: () => void): void => {
        life.later(ms, `answer to ${what}`, settle);
      };
      give(CALL_TIMEOUT, () => reject(new Error(`${what}: no answer from ${to}`)));
      const way = this.#link(life.name, to);
      this.#scheduler.after(this.#delay(way), what, () => {
        const there = this.#attached.get(to);
        if (this.#lost(way) || there === undefined || (same !== undefined && same !== there)) {
          if (there === undefined) give(1, () => reject(new Error(`${to} is not there`)));
          return;
        }
        there.life.receive(life.name, what, () => {
          this.#observer.onEvent(to, `${what} from ${life.name}`);
          const back = this.#link(to, life.name);
          const answer = (settle: () => void): void => {
            if (there.life.alive && !this.#lost(back)) give(this.#delay(back), settle);
          };
          act(there).then(
            (value) => answer(() => resolve(value)),
            (error: unknown) => answer(() => reject(error as Error)),
          );
        });
      });
    });
  }

  #lost(link: Link): boolean {
    return link.cut || this.#dice.chance(this.trouble.breaks * 2);
  }

  #delay(link: Link): number {
    return this.trouble.delay * link.slowness * (0.2 + this.#dice.exponential(0.8));
  }

  #link(from: NodeName, to: NodeName): Link {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) this.#links.set(key, (link = new Link()));
    return link;
  }
}
