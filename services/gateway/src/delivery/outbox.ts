import { Deque, LazyMap } from "@canopy/base";
import { DELIVERY, Delivery } from "@canopy/connection";
import type { Topic } from "@canopy/topic";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";
import { Reader } from "./reader.ts";
import { RetainedStreams } from "./retained.ts";
import type { RetainedStream } from "./retained-stream.ts";
import type { Sub, SubDelivery, Target } from "./sub.ts";

/** Bytes waiting for a socket at which only acknowledgements and QoS 0 go on. */
const CONGESTED = 256 * 1024;

/** A message of QoS 1 or 2 that waits in memory for room in the window. */
interface Waiting {
  readonly record: Uint8Array;
  readonly topic: Topic;
  readonly sub: Sub;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly idBytes: Buffer | undefined;
  readonly shard: number;
  readonly offset: number;
  /** Of a retained value. */
  readonly stream: RetainedStream | undefined;
  /** A retained value, and a newer one has been sent. */
  outdated: boolean;
}

/** A PUBLISH that leaves when its packet identifier is committed, or at a resumption. */
export interface Prepared {
  readonly delivery: SubDelivery;
  readonly record: Uint8Array;
  readonly topic: Topic;
  readonly retain: boolean;
  readonly idBytes: Buffer | undefined;
  /** Of a retained value whose packet identifier is being committed. */
  readonly stream: RetainedStream | undefined;
  /** A retained value, and a newer one has been sent. */
  outdated: boolean;
}

/**
 * Everything on its way to one client. Messages come by `live` (pushed), `stored` (read), `retained`
 * and `shared`; the writer has the message at hand in every one of these calls.
 */
export class Outbox {
  readonly readers: (Reader | undefined)[] = [];
  /** Readers that are behind and wait for room or for their turn. */
  readonly behind: Deque<Reader> = new Deque();
  /** Room in the window that reads under way may fill. */
  reserved = 0;
  /** Unfinished deliveries of an earlier connection that do not fit into the window yet. */
  readonly resend: Deque<Prepared> = new Deque();
  /** Readers may read: interests are in force and what was unfinished has been sent again. */
  started = false;
  readonly retained: RetainedStreams;
  /** Called when nothing waits in memory and the socket takes more. */
  onEmpty: (() => void)[] = [];
  readonly #client: Client;
  readonly #gateway: Gateway;
  readonly #waiting = new Deque<Waiting>();
  #waitingBytes = 0;
  /** Retained values among them, and those whose identifier is being committed, by topic name. */
  readonly #waitingRetained = new LazyMap<string, (Waiting | Prepared)[]>();
  #pumping = false;

  constructor(client: Client, gateway: Gateway) {
    this.#client = client;
    this.#gateway = gateway;
    this.retained = new RetainedStreams(client, gateway, this);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get congested(): boolean {
    return this.#client.output.pending > CONGESTED;
  }

  /** Room for reads. */
  get room(): number {
    if (this.congested || this.#waiting.size > 0 || this.resend.size > 0) return 0;
    return this.#client.connection.window.room - this.reserved;
  }

  reader(shard: number, cursor = 0): Reader {
    let reader = this.readers[shard];
    if (reader === undefined) {
      reader = new Reader(shard, cursor);
      this.readers[shard] = reader;
    }
    return reader;
  }

  // --- messages ---------------------------------------------------------------------------------

  /**
   * A pushed message; `offset` is 0 where it is not stored. `readersOnly`: all but readers have had it.
   */
  live(target: Target, topic: Topic, shard: number, offset: number, readersOnly: boolean): void {
    const { record } = this.#gateway.writer;
    if (record.retain) this.#outdate(topic);
    const qos = record.qos < target.qos ? record.qos : target.qos;
    const retain = record.retain && target.retainAsPublished; // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
    if (target.sources.length > 0 && record.qos !== 0) {
      this.#offer(target, topic, qos, retain, shard, offset, readersOnly);
    } else if (readersOnly) {
      return;
    } else if (qos === 0) {
      this.unacknowledged(topic, retain, target.idBytes);
      if (target.sub.passed !== undefined) target.sub.passed[shard] = offset;
    } else {
      this.acknowledged(target.sub, topic, qos, retain, target.idBytes, shard, 0, undefined);
    }
  }

  /** At QoS 0: sent, or dropped where the client does not read. */
  unacknowledged(topic: Topic, retain: boolean, idBytes: Buffer | undefined): void {
    const client = this.#client;
    if (this.#gateway.overflows(client)) {
      this.#gateway.counters.dropped++;
      return;
    }
    this.#gateway.writer.write(client, topic, 0, retain, false, idBytes, 0);
    client.touch();
  }

  /** At QoS 1 or 2 and not by a reader: sent if there is room, else kept in memory. */
  acknowledged(
    sub: Sub,
    topic: Topic,
    qos: 1 | 2,
    retain: boolean,
    idBytes: Buffer | undefined,
    shard: number,
    offset: number,
    stream: RetainedStream | undefined,
  ): void {
    if (this.#waiting.size === 0 && this.room > 0) {
      this.#start(sub, topic, qos, retain, idBytes, shard, offset, stream);
      return;
    }
    if (!this.#admit(sub)) return;
    const { record } = this.#gateway.writer;
    const copy = Buffer.from(record.bytes.subarray(record.start, record.payloadEnd));
    const waiting: Waiting = {
      record: copy,
      topic,
      sub,
      qos,
      retain,
      idBytes,
      shard,
      offset,
      stream,
      outdated: false,
    };
    this.#waitingBytes += copy.length;
    this.#waiting.push(waiting);
    if (stream !== undefined) {
      stream.uncommitted++;
      this.#noteRetained(waiting);
    }
    this.#gateway.backpressure.queued(this.#client, this.#waiting.size, this.#waitingBytes);
  }

  /** A message that a reader has read, or that came live to it. It has room. */
  byReader(
    reader: Reader,
    sub: Sub,
    idBytes: Buffer | undefined,
    topic: Topic,
    qos: 0 | 1 | 2,
    retain: boolean,
    offset: number,
  ): void {
    if (qos === 0) {
      this.unacknowledged(topic, retain, idBytes);
      reader.moveTo(offset);
      return;
    }
    const delivery = new Delivery(qos, sub, reader.shard, offset, undefined, undefined);
    sub.unfinished++;
    reader.add(delivery);
    this.#send(delivery, topic, retain, idBytes);
  }

  // --- acknowledgements -------------------------------------------------------------------------

  /** PUBACK, or an error PUBREC: over. The packet identifier is free already. */
  finished(delivery: SubDelivery): void {
    if (this.#client.durable && isCommitted(delivery)) {
      this.#gateway.deliveries.completed(this.#client, delivery.packetId);
    }
    this.#over(delivery);
  }

  received(delivery: SubDelivery): void {
    // of a durable session also those that are not stored: PUBRELs keep their order [MQTT-4.6.0-4]
    if (this.#client.durable) {
      this.#gateway.deliveries.received(this.#client, delivery);
    } else {
      this.#client.connection.release(delivery);
    }
  }

  completed(delivery: SubDelivery): void {
    if (delivery.source.shared && this.#client.durable && delivery.offset !== 0) {
      // its progress is the group's: on disk there before the session forgets it
      this.#gateway.settleDurably(this.#client, delivery);
      return;
    }
    this.complete(delivery);
  }

  complete(delivery: SubDelivery): void {
    delivery.state = DELIVERY.finished;
    this.#client.connection.window.remove(delivery.packetId);
    this.finished(delivery);
  }

  /** Room may have come: sends what waits, then lets readers read. */
  pump(): void {
    // what is sent may be finished at once, which is a reason to pump: the loop at hand goes on then
    if (this.#pumping || this.#client.ended) return;
    this.#pumping = true;
    try {
      while (this.resend.size > 0 && this.#resendRoom())
        this.publish(this.resend.shift() as Prepared, true);
      while (this.#waiting.size > 0 && this.#windowRoom() > 0) this.#next();
    } finally {
      this.#pumping = false;
    }
    this.#eased();
    if (this.#waiting.size > 0) return;
    if (this.onEmpty.length > 0 && !this.congested) {
      for (const waiter of this.onEmpty.splice(0)) waiter();
    }
    if (this.behind.size > 0) this.#gateway.reads.want(this.#client);
  }

  /** Makes a reader read again: when it has fallen behind, or has something new to read. */
  fallBehind(reader: Reader): void {
    reader.live = false;
    if (reader.waiting) return;
    reader.waiting = true;
    this.behind.push(reader);
    this.#gateway.reads.want(this.#client);
  }

  /** What an earlier connection left unfinished is sent by `pump`, as far as there is room. */
  addResend(prepared: Prepared): void {
    this.resend.push(prepared);
  }

  /** A committed packet identifier: its PUBLISH may leave. */
  publish(prepared: Prepared, dup: boolean): void {
    const { delivery, record, topic } = prepared;
    const { writer } = this.#gateway;
    if (prepared.stream !== undefined && !this.#isCurrent(prepared)) {
      this.complete(delivery);
      return;
    }
    delivery.state = DELIVERY.sent;
    const alive = writer.begin(record, 0, record.length, false) || dup;
    const { packetId, qos } = delivery;
    const { retain, idBytes } = prepared;
    if (!alive || !writer.write(this.#client, topic, qos, retain, dup, idBytes, packetId)) {
      this.complete(delivery);
    }
    this.#client.touch();
  }

  /**
   * The client leaves a shared subscription: gives up what waits for it, and returns what no queue
   * has: that, and what was sent at QoS 1 and not acknowledged. What was sent at QoS 2 is nobody
   * else's [MQTT-4.8.2-5].
   */
  giveUp(sub: Sub): { record: Uint8Array; topic: Topic }[] {
    const found: { record: Uint8Array; topic: Topic }[] = [];
    for (const { record, source, offset, qos } of this.#client.connection.window.all()) {
      if (source !== sub || offset !== 0 || qos !== 1 || record === undefined) continue;
      const topic = this.#gateway.topicOf(record);
      if (topic !== undefined) found.push({ record, topic });
    }
    for (let left = this.#waiting.size; left > 0; left--) {
      const waiting = this.#waiting.shift() as Waiting;
      if (waiting.sub !== sub) {
        this.#waiting.push(waiting);
        continue;
      }
      const { record, topic, offset } = waiting;
      this.#waitingBytes -= record.length;
      if (offset === 0) found.push({ record, topic });
    }
    this.pump();
    return found;
  }

  clear(): void {
    this.#waiting.clear();
    this.#waitingRetained.clear();
    this.#waitingBytes = 0;
    this.#eased();
    this.behind.clear();
    this.resend.clear();
    for (const waiter of this.onEmpty.splice(0)) waiter();
  }

  // --- inside -----------------------------------------------------------------------------------

  #offer(
    target: Target,
    topic: Topic,
    qos: 0 | 1 | 2,
    retain: boolean,
    shard: number,
    offset: number,
    readersOnly: boolean,
  ): void {
    const source = target.sourceOf(shard, offset);
    if (source === undefined) {
      // Published before the subscription was in force. What is not stored must not be sent either:
      // its packet identifier would be forgotten with the connection, but not by the client.
      if (target.rest !== undefined) this.live(target.rest, topic, shard, offset, readersOnly);
      return;
    }
    const reader = this.reader(shard);
    if (offset <= reader.position) return;
    if (!reader.live) {
      if (offset > reader.seen) reader.seen = offset;
      return;
    }
    if (qos !== 0 && this.room <= 0) {
      reader.seen = offset;
      this.fallBehind(reader);
      return;
    }
    this.byReader(reader, source, target.idBytes, topic, qos, retain, offset);
  }

  /** A newer value than those that wait, or are being read, is sent: no older one comes after it. */
  #outdate(topic: Topic): void {
    this.retained.cameLive(topic.name);
    if (this.#waitingRetained.size === 0) return;
    for (const waiting of this.#waitingRetained.get(topic.name) ?? []) waiting.outdated = true;
    this.#waitingRetained.delete(topic.name);
  }

  #noteRetained(waiting: Waiting | Prepared): void {
    const { name } = waiting.topic;
    const others = this.#waitingRetained.get(name);
    if (others === undefined) this.#waitingRetained.set(name, [waiting]);
    else others.push(waiting);
  }

  /** Whether the value, taken from those that wait, is to be sent. */
  #isCurrent(waiting: Waiting | Prepared): boolean {
    if (waiting.outdated) return false;
    const { name } = waiting.topic;
    const all = this.#waitingRetained.get(name) ?? [];
    const others = all.filter((other) => other !== waiting);
    if (others.length > 0) this.#waitingRetained.set(name, others);
    else this.#waitingRetained.delete(name);
    return true;
  }

  #eased(): void {
    this.#gateway.backpressure.eased(this.#client, this.#waiting.size, this.#waitingBytes);
  }

  #windowRoom(): number {
    if (this.congested) return 0;
    return this.#client.connection.window.room - this.reserved;
  }

  #resendRoom(): boolean {
    const { window } = this.#client.connection;
    return window.size - this.resend.size < window.limit && !this.congested;
  }

  #next(): void {
    const next = this.#waiting.shift() as Waiting;
    this.#waitingBytes -= next.record.length;
    if (next.stream !== undefined) {
      next.stream.uncommitted--;
      if (!this.#isCurrent(next)) return;
    }
    const alive = this.#gateway.writer.begin(next.record, 0, next.record.length, false);
    if (!alive) {
      this.#settle(next.sub, next.shard, next.offset);
      return;
    }
    const { sub, topic, qos, retain, idBytes, shard, offset, stream } = next;
    this.#start(sub, topic, qos, retain, idBytes, shard, offset, stream);
  }

  #start(
    sub: Sub,
    topic: Topic,
    qos: 1 | 2,
    retain: boolean,
    idBytes: Buffer | undefined,
    shard: number,
    offset: number,
    stream: RetainedStream | undefined,
  ): void {
    const retainedTopic = stream && topic.name;
    const delivery = new Delivery(qos, sub, shard, offset, retainedTopic, undefined);
    if (sub.shared && offset === 0 && qos === 1) delivery.record = this.#gateway.copyRecord();
    this.#send(delivery, topic, retain, idBytes, stream);
  }

  #send(
    delivery: SubDelivery,
    topic: Topic,
    retain: boolean,
    idBytes: Buffer | undefined,
    stream?: RetainedStream,
  ): void {
    const client = this.#client;
    const packetId = client.connection.window.add(delivery);
    if (client.durable && isCommitted(delivery)) {
      // the identifier is on disk before the PUBLISH leaves
      const record = this.#gateway.copyRecord();
      const prepared = { delivery, record, topic, retain, idBytes, stream, outdated: false };
      if (stream !== undefined) {
        stream.uncommitted++;
        this.#noteRetained(prepared);
      }
      this.#gateway.deliveries.assign(client, prepared);
      return;
    }
    delivery.state = DELIVERY.sent;
    const { writer } = this.#gateway;
    if (!writer.write(client, topic, delivery.qos, retain, false, idBytes, packetId)) {
      delivery.state = DELIVERY.finished;
      client.connection.window.remove(packetId);
      this.#over(delivery);
    }
    client.touch();
  }

  #over(delivery: SubDelivery): void {
    delivery.record = undefined;
    const { source: sub, offset, shard } = delivery;
    if (sub.shared) {
      this.#settle(sub, shard, offset);
    } else if (offset !== 0 && delivery.retainedTopic === undefined) {
      sub.unfinished--;
      this.readers[shard]?.finish(delivery);
      this.#client.progressed();
      if (sub.draining && sub.unfinished === 0) this.#client.subDrained(sub);
    }
    this.pump();
  }

  #settle(sub: Sub, shard: number, offset: number): void {
    if (sub.member !== 0) this.#gateway.settle(sub.member, shard, offset);
  }

  /** Whether one more may wait; a transient session that can't keep up is disconnected. */
  #admit(sub: Sub): boolean {
    const { limits } = this.#gateway;
    const client = this.#client;
    if (client.ended) return false;
    if (
      this.#waiting.size < limits.transientQueueMessages &&
      this.#waitingBytes < limits.transientQueueBytes
    ) {
      return true;
    }
    this.#gateway.counters.dropped++;
    if (limits.transientOverflow === "disconnect" && !client.durable) {
      client.overflowed();
    } else {
      this.#settle(sub, 0, 0);
    }
    return false;
  }
}

/**
 * Whether a durable session knows it from its packet identifier on. Those of retained values at
 * QoS 1 too, because no cursor says which of them are finished.
 */
function isCommitted({ qos, offset, retainedTopic }: SubDelivery): boolean {
  return offset !== 0 && (qos === 2 || retainedTopic !== undefined);
}
