import { arrival, type Client, type Role } from "./client.ts";
import type { Load } from "./load.ts";
import type { Expected } from "./received.ts";
import { Stamp } from "./stamp.ts";

const PUBACK = 4;
const PUBREC = 5;
const PUBREL = 6;
const PUBCOMP = 7;

const stamp = new Stamp();

/** Checks and acknowledges what comes. */
export class Subscriber implements Role {
  client: Client;
  readonly #load: Load;
  readonly #expected: Expected;
  readonly #qos: number;
  readonly #size: number;
  /** The highest sequence that this client has seen, by publisher. */
  readonly #last: number[] = [];
  /** QoS 2: packet identifiers between PUBREC and PUBREL. */
  readonly #open = new Set<number>();

  constructor(client: Client, load: Load, expected: Expected, qos: number, size: number) {
    this.client = client;
    this.#load = load;
    this.#expected = expected;
    this.#qos = qos;
    this.#size = size;
    client.role = this;
  }

  /** Goes on over another connection of the same session. */
  moveTo(client: Client): void {
    this.client = client;
    client.role = this;
  }

  publish(bytes: Buffer, first: number, packetId: number, payload: number, end: number): void {
    const qos = (first >> 1) & 3;
    if (qos === 1) {
      this.client.appendAck(PUBACK, packetId);
    } else if (qos === 2) {
      this.client.appendAck(PUBREC, packetId);
      if (this.#open.has(packetId)) return;
      this.#open.add(packetId);
    }
    const load = this.#load;
    if (qos !== this.#qos) load.counters.wrongQos++;
    if (stamp.read(bytes, payload, end, load.run, this.#size)) this.#check();
    else load.counters.corrupted++;
  }

  ack(type: number, packetId: number): void {
    if (type !== PUBREL) {
      this.#load.counters.misrouted++;
      return;
    }
    this.#open.delete(packetId);
    this.client.appendAck(PUBCOMP, packetId);
  }

  endTurn(): void {
    // Everything was appended when it came.
  }

  lost(reason: string): void {
    this.#load.fail(`subscriber ${this.client.clientId}: ${reason}`);
  }

  #check(): void {
    const load = this.#load;
    const { publisher, sequence, time } = stamp;
    const received = this.#expected.of(publisher);
    if (received === undefined) {
      load.counters.misrouted++;
      return;
    }
    if (!received.add(sequence)) {
      load.counters.duplicates++;
      return;
    }
    const last = this.#last[publisher] ?? -1;
    if (sequence > last) this.#last[publisher] = sequence;
    else load.counters.outOfOrder++;
    load.delivered(publisher, time, arrival.time);
  }
}
