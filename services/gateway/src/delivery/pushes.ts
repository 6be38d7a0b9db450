import type { Dispatch, Missed, Push } from "@canopy/store";
import type { Topic } from "@canopy/topic";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";
import type { Sub, Target } from "./sub.ts";

/** Clients that get one message, from which on it is written behind what is for others. */
const WIDE = 256;

/** Takes what store processes push and gives it to the clients that it concerns. */
export class Pushes {
  readonly #gateway: Gateway;
  /** Members of shared subscriptions by number. */
  readonly members: Map<number, Sub> = new Map();
  /** The message at hand goes to many. */
  isWide = false;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  push(push: Push): void {
    const { targets, writer } = this.#gateway;
    const { records, indexes, offsets, shard, readersOnly = false } = push;
    for (let i = 0; i < indexes.length; i++) {
      const index = indexes[i] as number;
      const topic = records.topics[index] as Topic;
      const found = targets.of(topic);
      if (found.length === 0) continue;
      const start = records.starts[index] as number;
      const end = records.ends[index] as number;
      if (!writer.begin(records.bytes, start, end, found.length > 1)) continue;
      this.isWide = found.length >= WIDE;
      this.#deliver(found, topic, shard, offsets[i] as number, readersOnly);
      this.isWide = false;
    }
  }

  /**
   * What did not come is in queues for who has one. A transient session must not go on as if there had
   * been nothing: its publisher is told soon that the message is safe.
   */
  missed({ shards }: Missed): void {
    for (const { shard, topics } of shards) {
      this.readAnew(shard);
      const concerned = topics === undefined ? this.#needingPushes(shard) : this.#needing(topics);
      for (const client of concerned) {
        this.#gateway.counters.dropped++;
        client.overflowed();
      }
    }
  }

  #needingPushes(shard: number): Set<Client> {
    const clients = [...this.#gateway.clients];
    return new Set(
      clients.filter(({ ended, subscriptions }) => !ended && subscriptions.needsPushes(shard)),
    );
  }

  #needing(topics: readonly Topic[]): Set<Client> {
    const clients = new Set<Client>();
    for (const topic of topics) {
      for (const { client, qos } of this.#gateway.targets.of(topic)) {
        if (!client.durable && !client.ended && qos > 0) clients.add(client);
      }
    }
    return clients;
  }

  /** Pushes of the shard may not have come: what is read from its queues begins again. */
  readAnew(shard: number): void {
    for (const { ended, outbox } of this.#gateway.clients) {
      const reader = outbox.readers[shard];
      if (ended || reader === undefined) continue;
      reader.generation++;
      outbox.fallBehind(reader);
    }
  }

  dispatch(message: Dispatch): void {
    const gateway = this.#gateway;
    const sub = this.members.get(message.member);
    if (sub === undefined || sub.client.ended) return; // it is leaving: the owner gives it to another
    const { bytes, start, end, topic, shard, offset } = message;
    if (!gateway.writer.begin(bytes, start, end, false)) {
      if (gateway.writer.record.qos !== 0) gateway.settle(message.member, shard, offset);
      return;
    }
    const { record } = gateway.writer;
    const { outbox } = sub.client;
    const qos = record.qos < sub.qos ? record.qos : sub.qos;
    const retain = record.retain && sub.retainAsPublished;
    if (qos !== 0) {
      outbox.acknowledged(sub, topic, qos, retain, sub.idBytes, shard, offset, undefined);
      return;
    }
    outbox.unacknowledged(topic, retain, sub.idBytes);
    if (record.qos !== 0) gateway.settle(message.member, shard, offset);
  }

  #deliver(
    found: readonly Target[],
    topic: Topic,
    shard: number,
    offset: number,
    readersOnly: boolean,
  ): void {
    for (let i = 0; i < found.length; i++) {
      let target = found[i] as Target;
      if (target.noLocal || target.own !== undefined) {
        if (target.client.isPublisher(this.#gateway.writer.record)) {
          if (target.noLocal) continue; // [MQTT-3.8.3-3]
          target = target.own as Target;
        }
      }
      target.client.outbox.live(target, topic, shard, offset, readersOnly);
    }
  }
}
