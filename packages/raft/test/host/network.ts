/** Joins hosts of one process. What is sent goes through the wire format, and can be held, dropped and cut. */

import type {
  Batch,
  NodeName,
  SnapshotIntake,
  SnapshotOffer,
  Transport,
  TransportHandler,
} from "../../src/transport/port.ts";
import { decodeBatch, encodeBatch } from "../../src/wire/batch.ts";

interface Sent {
  readonly from: NodeName;
  readonly to: NodeName;
  readonly bytes: Buffer;
}

export class Network {
  readonly #nodes = new Map<NodeName, TransportHandler>();
  readonly #cut = new Set<string>();
  readonly #held: Sent[] = [];
  /** Batches for which this is true wait for release(). */
  holds: (batch: Batch, to: NodeName) => boolean = () => false;
  /** Batches for which this is true are lost. */
  drops: (batch: Batch, to: NodeName) => boolean = () => false;
  /** What send() answers. */
  accepts: (batch: Batch, to: NodeName) => boolean = () => true;
  /** Called before each part of a snapshot; throws to break the stream off. */
  beforePart: (offer: SnapshotOffer, position: number) => void | Promise<void> = () => {};
  /** Nobody is told when a node stops. */
  isSilent = false;
  batches = 0;
  envelopes = 0;
  beats = 0;

  transport(node: NodeName): Transport {
    return {
      start: async (handler) => {
        this.#nodes.set(node, handler);
      },
      stop: async () => {
        this.#nodes.delete(node);
        if (this.isSilent) return;
        for (const other of this.#nodes.values()) other.onUnreachable(node);
      },
      send: (to, batch) => this.#send(to, batch),
      openSnapshot: (to, disk, offer) => this.#open(node, to, disk, offer),
    };
  }

  /** Both ways; nobody is told. */
  cut(a: NodeName, b: NodeName): void {
    this.#cut.add(`${a} ${b}`).add(`${b} ${a}`);
  }

  isolate(node: NodeName): void {
    for (const other of this.#nodes.keys()) if (other !== node) this.cut(node, other);
  }

  heal(): void {
    this.#cut.clear();
  }

  /** The process is gone without a word. */
  forget(node: NodeName): void {
    this.#nodes.delete(node);
  }

  release(): void {
    this.holds = () => false;
    for (const sent of this.#held.splice(0)) this.#deliver(sent);
  }

  #send(to: NodeName, batch: Batch): boolean {
    if (!this.accepts(batch, to)) return false;
    this.batches++;
    this.envelopes += batch.envelopes.length;
    this.beats += batch.beats.length;
    if (this.drops(batch, to)) return true;
    const sent = { from: batch.from, to, bytes: encodeBatch(batch) };
    if (this.holds(batch, to)) this.#held.push(sent);
    else setImmediate(() => this.#deliver(sent));
    return true;
  }

  #deliver({ from, to, bytes }: Sent): void {
    if (this.#cut.has(`${from} ${to}`)) return;
    this.#nodes.get(to)?.onBatch(decodeBatch(bytes));
  }

  async #open(
    from: NodeName,
    to: NodeName,
    disk: number,
    offer: SnapshotOffer,
  ): Promise<SnapshotIntake> {
    const handler = this.#reach(from, to);
    const intake = await handler.onSnapshot(from, disk, offer);
    return {
      received: intake.received,
      part: async (position, bytes) => {
        this.#reach(from, to);
        await this.beforePart(offer, position);
        await intake.part(position, bytes);
      },
      finish: () => intake.finish(),
      close: () => intake.close(),
    };
  }

  #reach(from: NodeName, to: NodeName): TransportHandler {
    const handler = this.#nodes.get(to);
    if (handler === undefined || this.#cut.has(`${from} ${to}`)) throw new Error("unreachable");
    return handler;
  }
}
