import type { PublishBatch } from "@canopy/store";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";

/** Messages waiting in memory for one client from which its publishers are slowed. */
const SOFT_LIMIT = 1000;
const SOFT_BYTES = 1024 * 1024;
/** Below this part of them it has caught up: a small step, so that a slow reader makes it in time. */
const EASED = 7 / 8;
/** Longest time that one client may slow its publishers without getting below that, in ms. */
const PATIENCE = 500;

interface Held {
  readonly publisher: Client;
  readonly slot: number;
  readonly reasonCode: number;
}

/** What one slow client holds back. */
interface Slow {
  readonly held: Held[];
  /** Its time is up: it no longer slows anybody until it has caught up. */
  expired: boolean;
}

/**
 * Slows publishers instead of losing messages: the answer to a QoS 1 or 2 message waits while a
 * transient session that it goes to has too much waiting in memory. A client that stands still slows
 * nobody for long: its queue grows to its hard limit then, where it is disconnected.
 */
export class Backpressure {
  readonly #gateway: Gateway;
  readonly #slow = new Map<Client, Slow>();
  /** Messages of the batch at hand that go to a slow client, by where their record starts. */
  readonly #noted = new Map<number, Client>();
  #bytes: Uint8Array | undefined = undefined;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** The message that the writer has at hand was put into this client's memory queue. */
  queued(client: Client, messages: number, bytes: number): void {
    if (client.durable || (messages < SOFT_LIMIT && bytes < SOFT_BYTES)) return;
    const slow = this.#slow.get(client) ?? this.#begin(client);
    if (slow.expired) return;
    const { record } = this.#gateway.writer;
    if (record.bytes !== this.#bytes) {
      this.#noted.clear();
      this.#bytes = record.bytes;
    }
    this.#noted.set(record.start, client);
  }

  /** Whether this answer is to wait; it is given then when the slow client has caught up. */
  holds(
    batch: PublishBatch,
    index: number,
    publisher: Client,
    slot: number,
    code: number,
  ): boolean {
    if (this.#noted.size === 0 || batch.records.bytes !== this.#bytes) return false;
    const start = batch.records.starts[index] as number;
    const client = this.#noted.get(start);
    if (client === undefined) return false;
    this.#noted.delete(start);
    const slow = this.#slow.get(client);
    if (slow === undefined || slow.expired || client.ended) return false;
    slow.held.push({ publisher, slot, reasonCode: code });
    return true;
  }

  /** The batch's memory is used again: its positions mean nothing any more. */
  forget(batch: PublishBatch): void {
    if (batch.records.bytes !== this.#bytes) return;
    this.#noted.clear();
    this.#bytes = undefined;
  }

  /** The client's queue has become shorter, or the client is gone. */
  eased(client: Client, messages: number, bytes: number): void {
    if (this.#slow.size === 0) return;
    if (messages > SOFT_LIMIT * EASED || bytes > SOFT_BYTES * EASED) return;
    const slow = this.#slow.get(client);
    if (slow === undefined) return;
    this.#slow.delete(client);
    this.#release(slow);
  }

  #begin(client: Client): Slow {
    const slow: Slow = { held: [], expired: false };
    this.#slow.set(client, slow);
    this.#gateway.later(PATIENCE, () => {
      if (this.#slow.get(client) !== slow) return;
      slow.expired = true;
      this.#release(slow);
    });
    return slow;
  }

  #release(slow: Slow): void {
    for (const { publisher, slot, reasonCode } of slow.held.splice(0)) {
      this.#gateway.publisher.settle(publisher, slot, reasonCode);
    }
  }
}
