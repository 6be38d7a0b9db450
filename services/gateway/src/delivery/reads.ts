import type { ReadRequest, ShardReadResult, StoredMessage } from "@canopy/store";
import { matchesFilter, type Topic } from "@canopy/topic";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";
import { BacklogShare } from "./backlog-share.ts";
import type { Reader } from "./reader.ts";
import { mergeSubs, type Sub, type Target } from "./sub.ts";

/** Most bytes that one read brings. */
const READ_BYTES = 256 * 1024;
/** A window up to this size is filled up as soon as it has room. */
const SMALL_WINDOW = 16;
/** Messages of a first read, which mostly finds nothing, and of one that has a backlog before it. */
const FIRST_READ = 16;
const NEXT_READ = 256;
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

/**
 * Reads of all readers that are behind, gathered into one request per shard and turn: a shard that can't
 * be read must not keep the others waiting.
 */
export class Reads {
  readonly #gateway: Gateway;
  readonly #wanting = new Set<Client>();
  /** Those that have to wait, for a backlog's turn or because too many read. */
  readonly #held = new Set<Client>();
  #underWay = 0;
  #lastTopic: Topic | undefined = undefined;
  readonly #share: BacklogShare;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.#share = new BacklogShare(gateway.clock);
  }

  want(client: Client): void {
    const { window } = client.connection;
    // A read for every single acknowledgement would cost more than it brings; but who asks for few
    // messages at a time is to have them, though the first one takes long.
    if (window.size * 2 > window.limit && window.limit > SMALL_WINDOW) return;
    if (this.#wanting.has(client) || this.#held.has(client) || !client.outbox.started) return;
    this.#wanting.add(client);
    this.#gateway.schedule();
  }

  /** Time until somebody who waits for a backlog's turn may read, in ms; undefined: nobody waits. */
  get timeLeft(): number | undefined {
    return this.#held.size > 0 ? this.#share.timeLeft : undefined;
  }

  /** At the end of a turn. */
  flush(): void {
    const held = this.#held;
    if (this.#wanting.size === 0 && held.size === 0) return;
    this.#share.beginTurn(this.#gateway.liveTraffic);
    const asked: Asked[] = [];
    this.#askHeld(asked);
    for (const client of this.#wanting) if (!this.#ask(client, asked)) held.add(client);
    this.#wanting.clear();
    if (asked.length === 0) return;
    this.#underWay += asked.length;
    const bytes = Math.min(READ_BYTES, Math.ceil(ALL_BYTES / this.#underWay));
    for (const one of byShard(asked)) {
      this.#gateway.shards.read(one.map((item) => toRequest(item, bytes))).then(
        (results) => this.#answered(one, results),
        (error: unknown) => this.#failed(one, error),
      );
    }
  }

  /** In turns: who was asked for a part has the others before it, however much it has before it. */
  #askHeld(asked: Asked[]): void {
    const held = this.#held;
    let left = held.size;
    for (const client of held) {
      if (left-- === 0) return;
      const before = asked.length;
      const isDone = this.#ask(client, asked);
      if (!isDone && asked.length === before) return;
      held.delete(client);
      if (!isDone) held.add(client);
    }
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
      if (isHungry && !this.#share.hasRoom) return false;
      const room = Math.min(free, isHungry ? NEXT_READ : FIRST_READ);
      const reader = outbox.behind.shift() as Reader;
      reader.waiting = false;
      if (reader.reading) continue; // it is put back when its answer comes
      const subs = [...reader.subs].filter((sub) => sub.active);
      reader.reading = true;
      outbox.reserved += room;
      const messages = isHungry ? room : 0;
      this.#share.messages += messages;
      asked.push({ client, reader, generation: reader.generation, room, messages, subs });
    }
    return true;
  }

  #answered(asked: readonly Asked[], results: readonly ShardReadResult[]): void {
    const began = this.#gateway.clock.now();
    let backlog = 0;
    for (let i = 0; i < asked.length; i++) {
      const item = asked[i] as Asked;
      const { client, reader } = item;
      reader.reading = false;
      this.#share.messages -= item.messages;
      backlog += item.messages;
      if (!client.ended) {
        if (item.generation === reader.generation) this.#take(item, results[i] as ShardReadResult);
        else client.outbox.fallBehind(reader);
      }
      // not before: nothing else may take the room meanwhile
      client.outbox.reserved -= item.room;
      client.outbox.pump();
    }
    if (backlog > 0) this.#share.spent(began);
    this.#finished(asked.length);
  }

  #finished(reads: number): void {
    this.#underWay -= reads;
    if (this.#wanting.size > 0 || this.#held.size > 0) this.#gateway.schedule();
  }

  #take(item: Asked, result: ShardReadResult): void {
    const { client, reader, subs } = item;
    const { messages } = result;
    const others = messages.length === 0 ? [] : client.subscriptions.identifiedWithoutQueue();
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i] as StoredMessage;
      if (reader.passes(message.offset)) continue;
      const target = targetOf(subs, message.queues);
      if (target === undefined || !this.#deliver(reader, target, message, others)) {
        reader.moveTo(message.offset);
      }
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
    reader: Reader,
    target: Target,
    message: StoredMessage,
    others: readonly Sub[],
  ): boolean {
    const { client } = target;
    const { bytes, start, end, offset } = message;
    if (!this.#gateway.beginStored(bytes, start, end, reader.shard, offset)) return false;
    const { record } = this.#gateway.writer;
    if ((target.noLocal || target.own !== undefined) && client.isPublisher(record)) {
      if (target.own === undefined) return false; // [MQTT-3.8.3-3]
      target = target.own;
    }
    const topic = this.#topicAt(bytes, record.topicStart, record.topicEnd);
    if (topic === undefined) return false;
    const qos = record.qos < target.qos ? record.qos : target.qos;
    const retain = record.retain && target.retainAsPublished;
    const ids = withIdsOf(others, topic, target.idBytes);
    client.outbox.byReader(reader, target.sub, ids, topic, qos, retain, offset);
    return true;
  }

  /** A backlog often has one topic for long, which is found faster by itself than in the table. */
  #topicAt(bytes: Uint8Array, start: number, end: number): Topic | undefined {
    const last = this.#lastTopic;
    if (last !== undefined && isOf(last, bytes, start, end)) return last;
    const topic = this.#gateway.topicAt(bytes, start, end);
    this.#lastTopic = topic;
    return topic;
  }

  #failed(asked: readonly Asked[], error: unknown): void {
    this.#gateway.logger.warn({ error }, "reading stored messages failed; trying again");
    // what can't be read has no claim to the room that others could fill
    for (const { client, room, messages } of asked) {
      this.#share.messages -= messages;
      client.outbox.reserved -= room;
      client.outbox.pump();
    }
    this.#finished(asked.length);
    this.#gateway.later(RETRY, () => {
      for (const { client, reader } of asked) {
        reader.reading = false;
        if (!client.ended) client.outbox.fallBehind(reader);
      }
    });
  }
}

function byShard(asked: readonly Asked[]): Iterable<Asked[]> {
  const shards = new Map<number, Asked[]>();
  for (const item of asked) {
    const { shard } = item.reader;
    const others = shards.get(shard);
    if (others === undefined) shards.set(shard, [item]);
    else others.push(item);
  }
  return shards.values();
}

/** A loop: the call of a native comparison would cost more. */
function isOf({ wire }: Topic, bytes: Uint8Array, start: number, end: number): boolean {
  if (wire.length !== end - start) return false;
  for (let i = 0; start < end; i++, start++) if (wire[i] !== bytes[start]) return false;
  return true;
}

/** Without those that were unsubscribed meanwhile [MQTT-3.10.4-2]; undefined where all were. */
function targetOf(subs: readonly Sub[], queues: readonly number[]): Target | undefined {
  if (queues.length === 1) {
    const sub = subs[queues[0] as number] as Sub;
    return sub.active ? sub.target : undefined;
  }
  const found = queues.map((queue) => subs[queue] as Sub).filter((sub) => sub.active);
  return found.length === 0 ? undefined : mergeSubs(found);
}

/** The identifiers of all that match [MQTT-3.3.4-4], also of those at QoS 0. */
function withIdsOf(
  others: readonly Sub[],
  topic: Topic,
  ids: Buffer | undefined,
): Buffer | undefined {
  if (others.length === 0) return ids;
  const matching = others.filter((sub) => matchesFilter(sub.plainFilter, topic.name));
  const all = [ids, ...matching.map(({ idBytes }) => idBytes)].filter((one) => one !== undefined);
  return all.length < 2 ? all[0] : Buffer.concat(all);
}

function toRequest({ reader, room, subs }: Asked, bytes: number): ReadRequest {
  const { shard, position } = reader;
  const queues = subs.map((sub) => ({
    queue: sub.filter,
    after: Math.max(position, sub.starts[shard] ?? 0),
  }));
  return { shard, queues, messages: room, bytes };
}
