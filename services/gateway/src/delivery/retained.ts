import { LazyMap } from "@canopy/base";
import type { RetainedProgress } from "@canopy/session";
import type { RetainedPosition, ShardRetainedPage } from "@canopy/store";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";
import type { Outbox } from "./outbox.ts";
import { RetainedStream } from "./retained-stream.ts";
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
 *
 * A durable session goes on where it broke off: how far a subscription has come is committed with
 * the packet identifiers, or told with the progress where the last values went at QoS 0.
 */
export class RetainedStreams {
  readonly #client: Client;
  readonly #gateway: Gateway;
  readonly #outbox: Outbox;
  /** What is to be sent; a subscription made again is in it once. */
  readonly #asked = new LazyMap<Sub, RetainedStream>();
  /** By filter: what the session state does not know to be sent yet; of durable sessions. */
  readonly #streams = new LazyMap<string, RetainedStream>();
  #running = false;
  /** Topics with a newer value that came live while a page was being read. */
  #newer: Set<string> | undefined = undefined;

  constructor(client: Client, gateway: Gateway, outbox: Outbox) {
    this.#client = client;
    this.#gateway = gateway;
    this.#outbox = outbox;
  }

  /** `after`: where an earlier connection broke off. */
  send(sub: Sub, upTo: readonly number[], after?: RetainedPosition): void {
    const stream = new RetainedStream(sub, upTo, after);
    this.forget(sub);
    if (this.#client.durable) this.#streams.set(sub.filter, stream);
    this.#gateway.system.sendTo(this.#client, sub);
    const { shards } = this.#gateway;
    if (shards.countsLag !== true && shards.counts().retained === 0) {
      this.#sent(stream);
      return;
    }
    this.#asked.delete(sub);
    this.#asked.set(sub, stream);
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

  /**
   * The session state knows nothing of these values any more, or will be asked to begin anew: to be
   * called before it is. Returns what {@link remember} takes if that comes to nothing.
   */
  forget(sub: Sub): RetainedStream | undefined {
    const stream = this.#streams.get(sub.filter);
    if (stream !== undefined) stream.isCurrent = false;
    this.#streams.delete(sub.filter);
    return stream;
  }

  remember(stream: RetainedStream): void {
    stream.isCurrent = true;
    stream.isTold = false;
    this.#streams.set(stream.sub.filter, stream);
  }

  /** A durable session's packet identifier is committed, and with it that the stream is here. */
  committed(stream: RetainedStream, place: RetainedPosition): void {
    stream.uncommitted--;
    stream.passed = place;
  }

  /**
   * What the session state does not know. Where identifiers are being committed, they say it; at the
   * end of the connection (`all`) none is, and everything is told.
   */
  progress(all: boolean): { retainedAfter: RetainedProgress[]; retainedSent: string[] } {
    const retainedAfter: RetainedProgress[] = [];
    const retainedSent: string[] = [];
    for (const [filter, stream] of this.#streams) {
      if (!all && (stream.isTold || stream.uncommitted > 0)) continue;
      stream.isTold = true;
      if (stream.isSent) retainedSent.push(filter);
      else if (stream.passed !== undefined) retainedAfter.push({ filter, ...stream.passed });
    }
    return { retainedAfter, retainedSent };
  }

  /** Whether what was told last has been committed. */
  told(isCommitted: boolean): void {
    for (const [filter, stream] of this.#streams) {
      if (!isCommitted) stream.isTold = false;
      else if (stream.isSent && stream.isTold) this.#streams.delete(filter);
    }
  }

  async #run(): Promise<void> {
    try {
      for (const [sub, stream] of this.#asked) {
        this.#asked.delete(sub);
        await this.#stream(stream);
        // not before all are on their way: a resumption goes on with the rest until then
        await this.#room(stream);
        if (this.#client.ended || this.#gateway.stopped) return;
        this.#sent(stream);
      }
    } finally {
      this.#running = false;
    }
  }

  #sent(stream: RetainedStream): void {
    if (!stream.isCurrent) return;
    stream.isSent = true;
    stream.isTold = false;
    this.#client.progressed();
  }

  async #stream(stream: RetainedStream): Promise<void> {
    const client = this.#client;
    const { sub } = stream;
    let after = stream.passed;
    do {
      await this.#room();
      if (client.ended || sub.dropped || this.#gateway.stopped) return;
      const page = await this.#page(stream, after);
      const newer = this.#newer;
      this.#newer = undefined;
      if (client.ended || sub.dropped) return;
      if (page === undefined) continue;
      for (const message of page.messages) {
        if (newer?.has(message.topic) !== true) this.#deliver(stream, message);
      }
      if (page.next === undefined) return;
      after = page.next;
    } while (!this.#gateway.stopped);
  }

  /** Undefined where it has to be tried again. */
  async #page(
    { sub, upTo }: RetainedStream,
    after: RetainedPosition | undefined,
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

  #deliver(stream: RetainedStream, message: ShardRetainedPage["messages"][number]): void {
    const { sub } = stream;
    const { shard, topic: name, offset, body } = message;
    const topic = this.#gateway.topics.internString(name);
    if (topic === undefined) return;
    if (!this.#gateway.beginStored(body, 0, body.length, shard, offset)) return;
    const { record } = this.#gateway.writer;
    if (sub.noLocal && this.#client.isPublisher(record)) return;
    const qos = record.qos < sub.qos ? record.qos : sub.qos;
    // [MQTT-3.3.1-8]
    if (qos !== 0) {
      this.#outbox.acknowledged(sub, topic, qos, true, sub.idBytes, shard, offset, stream);
      return;
    }
    this.#outbox.unacknowledged(topic, true, sub.idBytes);
    if (!this.#client.durable || stream.uncommitted > 0) return;
    stream.passed = { shard, topic: name };
    stream.isTold = false;
    this.#client.progressed();
  }

  /**
   * Waits until nothing waits in memory for this client, nor too much in its socket; with a stream,
   * also until all that it has brought is committed.
   */
  async #room(stream?: RetainedStream): Promise<void> {
    const outbox = this.#outbox;
    const isBusy = () => outbox.waiting > 0 || outbox.congested || (stream?.uncommitted ?? 0) > 0;
    while (!this.#client.ended && isBusy()) {
      // oxlint-disable-next-line no-loop-func
      await new Promise<void>((resolve) => outbox.onEmpty.push(resolve));
    }
  }
}
