import { type PublishView, REASON, RecordBatch } from "@canopy/codec";
import type { PublishBatch } from "@canopy/store";
import type { Topic } from "@canopy/topic";
import type { Client } from "./client.ts";
import type { Gateway } from "./gateway.ts";

/** A turn's batch is handed on early when it reaches this size, in bytes. */
const FULL = 1024 * 1024;
const KEPT_BATCHES = 64;
/** One turn with many small messages must not keep its memory in a batch that lives on. */
const KEPT_MESSAGES = 4096;

/** What the gateway's clients publish to one shard in one turn. */
class Batch implements PublishBatch {
  readonly shard: number;
  readonly gateway: number;
  seq = 0;
  /** When it was handed on, monotonic ms. */
  since = 0;
  readonly records: RecordBatch = new RecordBatch();
  // Parallel to the records, and as long as they were at their most: beyond `clients` nothing counts.
  receiptSessions: number[] = [];
  receiptKeys: number[] = [];
  slots: number[] = [];
  readonly clients: Client[] = [];
  #hasReceipts = false;

  constructor(shard: number, gateway: number) {
    this.shard = shard;
    this.gateway = gateway;
  }

  reset(): void {
    this.records.reset();
    // `length = 0` would give the array's memory away, which the next batch takes again
    for (let left = this.clients.length; left > 0; left--) this.clients.pop();
    if (this.slots.length > KEPT_MESSAGES) {
      this.receiptSessions = [];
      this.receiptKeys = [];
      this.slots = [];
    } else if (this.#hasReceipts) this.receiptSessions.fill(0);
    this.#hasReceipts = false;
  }

  /** A message of this client, which wants its answer at `slot`; -1 = none. */
  add(client: Client, slot: number): void {
    const index = this.clients.length;
    this.clients.push(client);
    if (index < this.slots.length) {
      this.slots[index] = slot;
    } else {
      this.slots.push(slot);
      this.receiptSessions.push(0);
      this.receiptKeys.push(0);
    }
  }

  /** The message that was added last has a receipt. */
  receipt(session: number, key: number): void {
    const index = this.clients.length - 1;
    this.receiptSessions[index] = session;
    this.receiptKeys[index] = key;
    this.#hasReceipts = true;
  }
}

/** Gathers PUBLISHes into a batch per shard and turn, and brings their answers back. */
export class Publisher {
  readonly #gateway: Gateway;
  readonly #open: (Batch | undefined)[] = [];
  #opened = 0;
  /** PUBLISHes since the last flush, and when the first of them came, monotonic ms. */
  gathered = 0;
  since = 0;
  readonly #seqs: number[] = [];
  readonly #free: Batch[][] = [];
  /** Handed on and not answered to the end, oldest first. */
  readonly #waiting = new Set<Batch>();
  /** Whose messages have been refused since the turn's last microtask. */
  readonly #refused = new Set<Client>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  add(client: Client, view: PublishView, topic: Topic, slot: number): void {
    const { shard } = topic;
    let batch = this.#open[shard];
    if (batch === undefined) {
      batch = this.#take(shard);
      this.#open[shard] = batch;
      if (this.#opened++ === 0) this.since = this.#gateway.clock.now();
      this.#gateway.schedule();
    }
    batch.records.add(view, topic, client.clientIdBytes, this.#gateway.wall);
    batch.add(client, slot);
    this.gathered++;
    if (slot !== -1) client.outstanding++;
    if (view.qos === 2 && client.durable) {
      batch.receipt(client.incarnation, view.packetId);
      client.receiptShards.set(view.packetId, shard);
    }
    if (batch.records.length > FULL) this.#send(shard, batch);
  }

  /** Something waits for the end of a turn. */
  get hasOpen(): boolean {
    return this.#opened > 0;
  }

  /** At the end of a turn, or when much has been gathered. */
  flush(): void {
    this.gathered = 0;
    for (let shard = 0; shard < this.#open.length; shard++) {
      const batch = this.#open[shard];
      if (batch !== undefined) this.#send(shard, batch);
    }
  }

  answered(answered: PublishBatch, index: number, reasonCode: number): void {
    const batch = answered as Batch;
    const slot = batch.slots[index] as number;
    if (slot === -1) return;
    const client = batch.clients[index] as Client;
    const isReceipted = batch.receiptSessions[index] !== 0 && reasonCode < REASON.unspecifiedError;
    if (isReceipted && client.committedReceiptShards?.includes(batch.shard) !== true) {
      // who goes on with the session has to find the receipt, before the client can rely on it
      this.#gateway.deliveries.receipted(client, batch.shard, () => {
        this.settle(client, slot, reasonCode);
      });
      return;
    }
    if (this.#gateway.backpressure.holds(batch, index, client, slot, reasonCode)) return;
    this.settle(client, slot, reasonCode);
  }

  /** The message has its answer. */
  settle(client: Client, slot: number, reasonCode: number): void {
    client.outstanding--;
    if (client.ended) {
      if (client.outstanding === 0) client.settled();
      return;
    }
    client.connection.answered(slot, reasonCode);
    client.touch();
    if (reasonCode >= REASON.unspecifiedError) this.#noteRefused(client);
  }

  /** Looked at when all that is given up at once has been, and before anything else is stored. */
  #noteRefused(client: Client): void {
    this.#refused.add(client);
    if (this.#refused.size > 1) return;
    queueMicrotask(() => {
      const refused = [...this.#refused];
      this.#refused.clear();
      for (const { connection } of refused) connection.endIfRefusalWaits();
    });
  }

  released(released: PublishBatch): void {
    const batch = released as Batch;
    this.#waiting.delete(batch);
    this.#gateway.backpressure.forget(batch);
    batch.reset();
    const free = this.#free[batch.shard] as Batch[];
    if (free.length < KEPT_BATCHES) free.push(batch);
  }

  /**
   * The client is gone: what is on its way is answered, but given to no other owner than the one that
   * may have it. Its session goes elsewhere then.
   */
  withdraw(gone: Client): void {
    const { shards } = this.#gateway;
    if (shards.withdraw === undefined) return;
    this.flush();
    for (const batch of this.#waiting) {
      // the batch may be released, and its lists emptied, within the call
      for (let i = 0; i < batch.clients.length && gone.outstanding > 0; i++) {
        if (batch.clients[i] === gone && batch.slots[i] !== -1) shards.withdraw(batch, i);
      }
    }
  }

  /**
   * Ends the connections whose messages have had no answer for so long (ms): a message of QoS 2 that
   * may already be stored must not be refused, so its client has to ask again on a new connection.
   */
  giveUp(timeout: number): void {
    const before = this.#gateway.clock.now() - timeout;
    for (const batch of this.#waiting) {
      if (batch.since > before) return;
      for (const [index, client] of batch.clients.entries()) {
        if (batch.slots[index] === -1 || client.outstanding === 0) continue;
        client.connection.fail(REASON.unspecifiedError, "the store does not answer");
      }
    }
  }

  #send(shard: number, batch: Batch): void {
    this.#open[shard] = undefined;
    this.#opened--;
    batch.since = this.#gateway.clock.now();
    this.#waiting.add(batch);
    this.#gateway.shards.publish(batch);
  }

  #take(shard: number): Batch {
    this.#free[shard] ??= [];
    const batch = this.#free[shard].pop() ?? new Batch(shard, this.#gateway.incarnation);
    const seq = (this.#seqs[shard] ?? 0) + 1;
    this.#seqs[shard] = seq;
    batch.seq = seq;
    return batch;
  }
}
