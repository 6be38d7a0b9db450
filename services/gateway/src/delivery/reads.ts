import type { ReadRequest, ShardReadResult } from "@canopy/store";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";
import type { Reader } from "./reader.ts";
import { mergeSubs, type Sub } from "./sub.ts";

/** Most bytes that one read brings. */
const READ_BYTES = 256 * 1024;
/** A window up to this size is filled up as soon as it has room. */
const SMALL_WINDOW = 16;
/** Messages of a first read, which mostly finds nothing, and of one that has a backlog before it. */
const FIRST_READ = 16;
const NEXT_READ = 256;
/**
 * Messages of a backlog under way together: what comes back is delivered within one turn, and live
 * traffic has to have its share of the turns.
 */
const MOST_MESSAGES = 512;
/** Most reads under way, and the bytes that they may bring together, as far as messages allow. */
const MOST_READS = 1024;
const ALL_BYTES = 64 * 1024 * 1024;
/** How long after a failed read it is tried again, in ms. */
const RETRY = 250;

interface Asked {
  readonly client: Client;
  readonly reader: Reader;
  readonly generation: number;
  readonly room: number;
  /** What of it counts as a backlog under way. */
  readonly messages: number;
  /** Parallel to the request's queues. */
  readonly subs: readonly Sub[];
}

/** Reads of all readers that are behind, gathered into one request per turn. */
export class Reads {
  readonly #gateway: Gateway;
  readonly #wanting = new Set<Client>();
  #underWay = 0;
  /** Messages that reads of a backlog may bring. */
  #messages = 0;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  want(client: Client): void {
    if (this.#wanting.has(client) || !client.outbox.started) return;
    const { window } = client.connection;
    // A read for every single acknowledgement would cost more than it brings; but who asks for few
    // messages at a time is to have them, though the first one takes long.
    if (window.size * 2 > window.limit && window.limit > SMALL_WINDOW) return;
    this.#wanting.add(client);
    this.#gateway.schedule();
  }

  /** At the end of a turn. */
  flush(): void {
    if (this.#wanting.size === 0) return;
    const asked: Asked[] = [];
    for (const client of this.#wanting) {
      this.#wanting.delete(client);
      if (this.#ask(client, asked)) continue;
      this.#wanting.add(client); // the others when these are answered
      break;
    }
    if (asked.length === 0) return;
    this.#underWay += asked.length;
    const bytes = Math.min(READ_BYTES, Math.ceil(ALL_BYTES / this.#underWay));
    this.#gateway.shards.read(asked.map((item) => toRequest(item, bytes))).then(
      (results) => this.#answered(asked, results),
      (error: unknown) => this.#failed(asked, error),
    );
  }

  /** False where too much is under way already. */
  #ask(client: Client, asked: Asked[]): boolean {
    if (client.ended) return true;
    const { outbox } = client;
    for (let left = outbox.behind.size; left > 0; left--) {
      const free = Math.ceil(outbox.room / left);
      if (free <= 0) return true;
      if (this.#underWay + asked.length >= MOST_READS) return false;
      const isHungry = outbox.behind.peek()?.hungry === true;
      if (isHungry && this.#messages >= MOST_MESSAGES) return false;
      const room = Math.min(free, isHungry ? NEXT_READ : FIRST_READ);
      const reader = outbox.behind.shift() as Reader;
      reader.waiting = false;
      if (reader.reading) continue; // it is put back when its answer comes
      const subs = [...reader.subs].filter((sub) => sub.active);
      reader.reading = true;
      outbox.reserved += room;
      const messages = isHungry ? room : 0;
      this.#messages += messages;
      asked.push({ client, reader, generation: reader.generation, room, messages, subs });
    }
    return true;
  }

  #answered(asked: readonly Asked[], results: readonly ShardReadResult[]): void {
    for (let i = 0; i < asked.length; i++) {
      const item = asked[i] as Asked;
      const { client, reader } = item;
      reader.reading = false;
      this.#messages -= item.messages;
      if (!client.ended) {
        if (item.generation === reader.generation) this.#take(item, results[i] as ShardReadResult);
        else client.outbox.fallBehind(reader);
      }
      // not before: nothing else may take the room meanwhile
      client.outbox.reserved -= item.room;
      client.outbox.pump();
    }
    this.#finished(asked.length);
  }

  #finished(reads: number): void {
    this.#underWay -= reads;
    if (this.#wanting.size > 0) this.#gateway.schedule();
  }

  #take(item: Asked, result: ShardReadResult): void {
    const { client, reader, subs } = item;
    for (const { offset, body, queues } of result.messages) {
      if (reader.passes(offset)) continue;
      // without those that were unsubscribed meanwhile [MQTT-3.10.4-2]
      const found = queues.map((queue) => subs[queue] as Sub).filter((sub) => sub.active);
      if (!this.#deliver(client, reader, found, offset, body)) reader.moveTo(offset);
    }
    reader.moveTo(result.upTo);
    reader.hungry = result.limited;
    if (result.limited || reader.seen > result.upTo) client.outbox.fallBehind(reader);
    else reader.live = true;
    // a position that moved without deliveries goes with the next progress, or with the release
    if (result.messages.length > 0 && reader.changed) client.progressed();
  }

  /** False if the message needs no delivery: it has expired, or is the client's own. */
  #deliver(
    client: Client,
    reader: Reader,
    subs: readonly Sub[],
    offset: number,
    body: Uint8Array,
  ): boolean {
    const { writer } = this.#gateway;
    if (subs.length === 0 || !this.#gateway.beginStored(body, reader.shard, offset)) return false;
    const { record } = writer;
    let target = mergeSubs(subs);
    if ((target.noLocal || target.own !== undefined) && client.isPublisher(record)) {
      if (target.own === undefined) return false; // [MQTT-3.8.3-3]
      target = target.own;
    }
    const topic = this.#gateway.topicAt(body, record.topicStart, record.topicEnd);
    if (topic === undefined) return false;
    const qos = record.qos < target.qos ? record.qos : target.qos;
    const retain = record.retain && target.retainAsPublished;
    client.outbox.byReader(reader, target.sub, target.idBytes, topic, qos, retain, offset);
    return true;
  }

  #failed(asked: readonly Asked[], error: unknown): void {
    this.#gateway.logger.warn({ error }, "reading stored messages failed; trying again");
    this.#gateway.later(RETRY, () => {
      for (const { client, reader, room, messages } of asked) {
        reader.reading = false;
        this.#messages -= messages;
        client.outbox.reserved -= room;
        if (!client.ended) client.outbox.fallBehind(reader);
      }
      this.#finished(asked.length);
    });
  }
}

function toRequest({ reader, room, subs }: Asked, bytes: number): ReadRequest {
  const { shard, position } = reader;
  const queues = subs.map((sub) => ({
    queue: sub.filter,
    after: Math.max(position, sub.starts[shard] ?? 0),
  }));
  return { shard, queues, messages: room, bytes };
}
