import { arrival, type Client, type Role } from "./client.ts";
import type { Load } from "./load.ts";
import { type PublishTemplate, publishTemplate } from "./packets.ts";
import { blankPayload, microseconds, writeStamp } from "./stamp.ts";

export interface PublisherOptions {
  readonly load: Load;
  /** In the stamps; the index in `load.publishers`. */
  readonly id: number;
  readonly qos: 0 | 1 | 2;
  readonly size: number;
  readonly retain: boolean;
  /** One topic, or one for each message. */
  readonly topic: string | ((sequence: number) => string);
  /** Deliveries that each message should cause. */
  readonly fan: number;
  /**
   * Closed loop: messages that may be unacknowledged; at QoS 0, undelivered. With a rate, only what
   * packet identifiers allow.
   */
  readonly window: number;
  /** Open loop: messages per second; 0 for a closed loop. */
  readonly rate: number;
  /** Ends after so many messages; Infinity. */
  readonly limit: number;
}

const LAST_PACKET_ID = 65_535;
/** A closed QoS 0 loop in which nothing moves for so long gives its missing messages up. */
const GIVE_UP_AFTER = 1_000_000;

const PUBREC = 5;
const PUBREL = 6;

/** Publishes stamped messages, as many per turn as window or schedule allow. */
export class Publisher implements Role {
  sent = 0;
  acked = 0;
  readonly client: Client;
  readonly #options: PublisherOptions;
  readonly #load: Load;
  readonly #template: PublishTemplate | undefined;
  readonly #payload: Buffer;
  readonly #window: number;
  readonly #freeIds: Uint16Array;
  #freeCount: number;
  /** QoS 0: deliveries so far, and messages given up. */
  #delivered = 0;
  #givenUp = 0;
  #lastMove = 0;
  /** Open loop: when the next message is due, in milliseconds of performance.now(). */
  #due = 0;

  constructor(client: Client, options: PublisherOptions) {
    this.client = client;
    this.#options = options;
    this.#load = options.load;
    this.#payload = blankPayload(options.size);
    if (typeof options.topic === "string") this.#template = this.#templateFor(options.topic);
    this.#window = Math.min(options.rate > 0 ? LAST_PACKET_ID : options.window, LAST_PACKET_ID);
    this.#freeCount = options.qos === 0 ? 0 : this.#window;
    this.#freeIds = Uint16Array.from({ length: this.#freeCount }, (_, i) => this.#freeCount - i);
    client.role = this;
  }

  /** Messages that the broker has yet to answer; none at QoS 0. */
  get unanswered(): number {
    return this.#options.qos === 0 ? 0 : this.#window - this.#freeCount;
  }

  /** It has nothing more to send. */
  get done(): boolean {
    const { rate, limit } = this.#options;
    if (this.sent >= limit) return true;
    return this.#load.stopped && (rate === 0 || this.#due >= this.#load.stopTime);
  }

  /** `now`, `phase`: so that open loops do not all send at the same moment. */
  start(now: number, phase: number): void {
    this.#lastMove = microseconds();
    if (this.#options.rate > 0) this.#due = now + (phase * 1000) / this.#options.rate;
    else this.client.markDirty();
  }

  /** Open loop: sends what is due. */
  tick(now: number): void {
    if (this.#due <= now) this.client.markDirty();
  }

  /** A subscriber has received one of its messages. */
  delivered(): void {
    if (this.#options.qos !== 0) return;
    this.#delivered++;
    this.#lastMove = arrival.time;
    if (!this.client.dirty) this.client.markDirty();
  }

  /** Called a few times per second: lost QoS 0 messages must not stop a closed loop. */
  giveUpLost(): void {
    if (this.#options.qos !== 0 || this.#options.rate > 0) return;
    const now = microseconds();
    if ((now - this.#lastMove) >>> 0 < GIVE_UP_AFTER) return;
    this.#givenUp = this.sent - Math.floor(this.#delivered / this.#options.fan);
    this.#lastMove = now;
    this.client.markDirty();
  }

  endTurn(): void {
    if (this.#options.rate > 0) this.#sendDue();
    else if (!this.#load.stopped) this.#fillWindow();
  }

  ack(type: number, packetId: number, reasonCode: number): void {
    if (reasonCode >= 0x80) {
      this.#load.counters.refused++;
    } else if (type === PUBREC) {
      this.client.appendAck(PUBREL, packetId);
      return;
    } else {
      this.acked++;
      this.#load.counters.acked++;
    }
    this.#freeIds[this.#freeCount++] = packetId;
    if (!this.client.dirty) this.client.markDirty();
  }

  publish(): void {
    this.#load.counters.misrouted++;
  }

  lost(reason: string): void {
    this.#load.fail(`publisher ${this.client.clientId}: ${reason}`);
  }

  #fillWindow(): void {
    const { qos, fan, limit } = this.#options;
    const free =
      qos === 0
        ? this.#window - (this.sent - this.#givenUp - Math.floor(this.#delivered / fan))
        : this.#freeCount;
    const count = Math.min(free, limit - this.sent);
    if (count <= 0) return;
    const now = microseconds();
    for (let i = 0; i < count; i++) this.#append(now);
  }

  #sendDue(): void {
    const now = performance.now();
    const interval = 1000 / this.#options.rate;
    const time = microseconds();
    const last = Math.min(now, this.#load.stopTime);
    while (this.#due < last && (this.#options.qos === 0 || this.#freeCount > 0)) {
      // Latency counts from when it should have been sent.
      this.#append((time - (now - this.#due) * 1000) >>> 0);
      this.#due += interval;
    }
  }

  #append(time: number): void {
    const { qos, id } = this.#options;
    const sequence = this.sent++;
    const template = this.#template ?? this.#templateOf(sequence);
    const { bytes } = template;
    const at = this.client.reserve(bytes.length);
    const out = this.client.room;
    out.set(bytes, at);
    if (qos !== 0) {
      const packetId = this.#freeIds[--this.#freeCount] as number;
      out[at + template.packetIdAt] = packetId >> 8;
      out[at + template.packetIdAt + 1] = packetId & 255;
    }
    writeStamp(out, at + template.payloadAt, this.#load.run, id, sequence, time);
    this.client.advance(bytes.length);
    this.#load.counters.sent++;
  }

  #templateOf(sequence: number): PublishTemplate {
    const { topic } = this.#options;
    return this.#templateFor(typeof topic === "string" ? topic : topic(sequence));
  }

  #templateFor(topic: string): PublishTemplate {
    const { qos, retain } = this.#options;
    return publishTemplate(this.client.version, topic, qos, retain, this.#payload);
  }
}
