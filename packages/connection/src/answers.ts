import { Deque } from "@canopy/base";

const PENDING = -1;

/** Sends the PUBACK (4) or PUBREC (5) of a message that has been answered. */
export type SendAnswer = (type: 4 | 5, packetId: number, reasonCode: number) => void;

/**
 * PUBLISHes of QoS 1 and 2 that wait for their answer. They are acknowledged in the order in which
 * they came [MQTT-4.6.0-2] [MQTT-4.6.0-3], whatever order their shards answer in.
 */
export class Answers {
  readonly #ids = new Deque<number>();
  readonly #types = new Deque<4 | 5>();
  readonly #codes: number[] = [];
  /** Slot of the head; slots count up from 0 for the life of the connection. */
  #first = 0;
  #next = 0;
  #codesBase = 0;

  /** How many wait. */
  get size(): number {
    return this.#next - this.#first;
  }

  /** A place in the order; its number is given back with the answer. */
  add(type: 4 | 5, packetId: number): number {
    this.#ids.push(packetId);
    this.#types.push(type);
    this.#codes.push(PENDING);
    return this.#next++;
  }

  /** Notes an answer and sends every answer that is due. */
  settle(slot: number, reasonCode: number, send: SendAnswer): void {
    this.#codes[slot - this.#codesBase] = reasonCode;
    if (slot !== this.#first) return;
    let at = this.#first - this.#codesBase;
    for (;;) {
      const code = this.#codes[at];
      if (code === undefined || code === PENDING) break;
      at++;
      this.#first++;
      send(this.#types.shift() as 4 | 5, this.#ids.shift() as number, code);
    }
    this.#forget(at);
  }

  #forget(answered: number): void {
    if (answered === this.#codes.length) {
      this.#codes.length = 0;
      this.#codesBase = this.#first;
    } else if (answered > 1024) {
      this.#codes.splice(0, answered);
      this.#codesBase = this.#first;
    }
  }
}
