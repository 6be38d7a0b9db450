import { type Random, randomBool, randomInt } from "@canopy/base";
import type { Received, What } from "../history/event.ts";
import { readStamp } from "../workload/topics.ts";
import type { Packet, PacketOf } from "./link.ts";

export interface IncomingOptions {
  readonly client: string;
  readonly connection: () => number;
  readonly receiveMaximum: number;
  /** Acknowledges late and in bunches, so that faults find unfinished windows. */
  readonly isLazy: boolean;
  readonly random: Random;
  readonly add: (what: What) => void;
  readonly send: (packet: Packet) => void;
  readonly received: (event: Received) => void;
}

/** The longest that a lazy client waits before it acknowledges, ms. */
const LAZINESS = 40;

/** The receiver's half of a session (section 4.1), and what a connection has unacknowledged. */
export class Incoming {
  readonly #options: IncomingOptions;
  /** Payloads of QoS 2 messages whose PUBREL has not come. */
  readonly #exact = new Map<number, string>();
  readonly #unacknowledged = new Set<number>();
  #late: Packet[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: IncomingOptions) {
    this.#options = options;
  }

  /** QoS 2 deliveries whose PUBREL is owed. */
  get unreleased(): number {
    return this.#exact.size;
  }

  /** A new connection; without a session nothing is left of the last one. */
  begin(isPresent: boolean): void {
    this.#unacknowledged.clear();
    this.#late = [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!isPresent) this.#exact.clear();
  }

  publish(packet: PacketOf<"publish">): void {
    const { topic, qos, messageId = 0, dup, retain } = packet;
    const text = packet.payload.toString();
    const known = stampOf(text);
    if (known === undefined) {
      this.#violation(`an unknown payload on ${topic}: ${text.slice(0, 80)}`);
      return;
    }
    if (qos > 0) this.#take(messageId);
    if (qos === 0 && dup) this.#violation("DUP at QoS 0");
    const isRepeated = qos === 2 && this.#exactlyOnce(messageId, text, dup);
    const { client } = this.#options;
    const connection = this.#options.connection();
    const where = { client, connection, topic, qos, dup, retain, packetId: messageId };
    const event: Received = { kind: "received", ...where, ...known, isRepeated };
    this.#options.add(event);
    if (!isRepeated) this.#options.received(event);
    if (qos > 0) this.#answer({ cmd: qos === 1 ? "puback" : "pubrec", messageId });
  }

  released(messageId: number): void {
    this.#unacknowledged.add(messageId);
    this.#exact.delete(messageId);
    this.#answer({ cmd: "pubcomp", messageId });
  }

  /** Sends what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const late = this.#late;
    this.#late = [];
    for (const packet of late) {
      if (packet.cmd !== "pubrec") this.#unacknowledged.delete(packet.messageId ?? 0);
      this.#options.send(packet);
    }
  }

  /** Whether it is another sending of what is unfinished; the receiver's method, figure 4.3. */
  #exactlyOnce(messageId: number, text: string, dup: boolean): boolean {
    const known = this.#exact.get(messageId);
    this.#exact.set(messageId, text);
    if (known === undefined) return false;
    if (known !== text) this.#violation(`#${messageId} was ${known} and is ${text} now`);
    else if (!dup) this.#violation(`#${messageId} (${text}) comes again without DUP`);
    return known === text;
  }

  /** [MQTT-3.3.4-9] */
  #take(messageId: number): void {
    if (this.#unacknowledged.has(messageId)) this.#violation(`#${messageId} is in use`);
    this.#unacknowledged.add(messageId);
    const { receiveMaximum } = this.#options;
    if (this.#unacknowledged.size > receiveMaximum) {
      this.#violation(`${this.#unacknowledged.size} in flight, more than ${receiveMaximum}`);
    }
  }

  /** In order [MQTT-4.6.0-2]. */
  #answer(packet: Packet): void {
    this.#late.push(packet);
    const { isLazy, random } = this.#options;
    if (!isLazy || randomBool(random, 0.2)) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), randomInt(random, LAZINESS));
  }

  #violation(text: string): void {
    this.#options.add({ kind: "violation", client: this.#options.client, text });
  }
}

function stampOf(text: string): { publisher: string; seq: number } | undefined {
  return readStamp(Buffer.from(text));
}
