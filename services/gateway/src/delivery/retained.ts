import { LazyMap } from "@canopy/base";
import type { ShardRetainedPage } from "@canopy/store";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";
import type { Outbox } from "./outbox.ts";
import type { Sub } from "./sub.ts";

/** One page of retained values. */
const PAGE_MESSAGES = 100;
const PAGE_BYTES = 256 * 1024;
const RETRY = 250;

/**
 * Sends the retained values that match new subscriptions of one client [MQTT-3.8.4-4]: those that
 * were there when each came into force (offset at most `upTo`, per shard); later ones come live. One
 * subscription after the other, and a page only when nothing of the last one waits: so a client
 * that has many and takes its time costs the memory of one page.
 */
export class RetainedStreams {
  readonly #client: Client;
  readonly #gateway: Gateway;
  readonly #outbox: Outbox;
  /** What is to be sent; a subscription made again is in it once. */
  readonly #asked = new LazyMap<Sub, readonly number[]>();
  #running = false;
  /** Topics with a newer value that came live while a page was being read. */
  #newer: Set<string> | undefined = undefined;

  constructor(client: Client, gateway: Gateway, outbox: Outbox) {
    this.#client = client;
    this.#gateway = gateway;
    this.#outbox = outbox;
  }

  send(sub: Sub, upTo: readonly number[]): void {
    this.#gateway.system.sendTo(this.#client, sub);
    if (this.#gateway.shards.counts().retained === 0) {
      this.#sent(sub);
      return;
    }
    this.#asked.delete(sub);
    this.#asked.set(sub, upTo);
    if (this.#running) return;
    this.#running = true;
    this.#run().catch((error: unknown) => {
      this.#gateway.logger.error({ error }, "sending retained messages failed");
    });
  }

  /** A value that is retained has been pushed: one that is being read may be older. */
  cameLive(topic: string): void {
    this.#newer?.add(topic);
  }

  async #run(): Promise<void> {
    try {
      for (const [sub, upTo] of this.#asked) {
        this.#asked.delete(sub);
        await this.#stream(sub, upTo);
        // not before all are on their way: a resumption sends them again until then
        await this.#room();
        if (this.#client.ended || this.#gateway.stopped) return;
        if (!sub.dropped && !this.#asked.has(sub)) this.#sent(sub);
      }
    } finally {
      this.#running = false;
    }
  }

  #sent(sub: Sub): void {
    const client = this.#client;
    if (!client.durable || client.ended) return;
    client.retainedSent.push(sub.filter);
    client.progressed();
  }

  async #stream(sub: Sub, upTo: readonly number[]): Promise<void> {
    const client = this.#client;
    let after: string | undefined;
    do {
      await this.#room();
      if (client.ended || sub.dropped || this.#gateway.stopped) return;
      const page = await this.#page(sub, upTo, after);
      const newer = this.#newer;
      this.#newer = undefined;
      if (client.ended || sub.dropped) return;
      if (page === undefined) continue;
      for (const message of page.messages) {
        if (newer?.has(message.topic) !== true) this.#deliver(sub, message);
      }
      if (page.next === undefined) return;
      after = page.next;
    } while (!this.#gateway.stopped);
  }

  /** Undefined where it has to be tried again. */
  async #page(
    sub: Sub,
    upTo: readonly number[],
    after: string | undefined,
  ): Promise<ShardRetainedPage | undefined> {
    const { shards, logger } = this.#gateway;
    const filter = sub.plainFilter;
    this.#newer = new Set();
    try {
      return await shards.retained({
        filter,
        upTo,
        after,
        messages: PAGE_MESSAGES,
        bytes: PAGE_BYTES,
      });
    } catch (error) {
      this.#newer = undefined;
      logger.warn({ error }, "reading retained messages failed; trying again");
      await this.#gateway.pause(RETRY);
      return undefined;
    }
  }

  #deliver(sub: Sub, message: ShardRetainedPage["messages"][number]): void {
    const { shard, topic: name, offset, body } = message;
    const topic = this.#gateway.topics.internString(name);
    if (topic === undefined) return;
    if (!this.#gateway.beginStored(body, 0, body.length, shard, offset)) return;
    const { record } = this.#gateway.writer;
    if (sub.noLocal && this.#client.isPublisher(record)) return;
    const qos = record.qos < sub.qos ? record.qos : sub.qos;
    // [MQTT-3.3.1-8]
    if (qos === 0) this.#outbox.unacknowledged(topic, true, sub.idBytes);
    else this.#outbox.acknowledged(sub, topic, qos, true, sub.idBytes, shard, offset, name);
  }

  /** Waits until nothing waits in memory for this client, nor too much in its socket. */
  async #room(): Promise<void> {
    const outbox = this.#outbox;
    while (!this.#client.ended && (outbox.waiting > 0 || outbox.congested)) {
      // oxlint-disable-next-line no-loop-func
      await new Promise<void>((resolve) => outbox.onEmpty.push(resolve));
    }
  }
}
