const PENDING = -1;

/** Sends the PUBACK (4) or PUBREC (5) of a message that has been answered. */
export type SendAnswer = (type: 4 | 5, packetId: number, reasonCode: number) => void;

/**
 * PUBLISHes of QoS 1 and 2 that wait for their answer. They are acknowledged in the order in which
 * they came [MQTT-4.6.0-2] [MQTT-4.6.0-3], whatever order their shards answer in.
 */
export class Answers {
  /** Twice the packet identifier, and one more for a PUBREC; parallel to the reason codes. */
  readonly #owed: number[] = [];
  readonly #codes: number[] = [];
  /** Slot of the head; slots count up from 0 for the life of the connection. */
  #first = 0;
  #next = 0;
  /** Slot of what stands first in both lists. */
  #base = 0;

  /** How many wait. */
  get size(): number {
    return this.#next - this.#first;
  }

  /** Whether its answer has left. */
  isSent(slot: number): boolean {
    return slot < this.#first;
  }

  /** A place in the order; its number is given back with the answer. */
  add(type: 4 | 5, packetId: number): number {
    this.#owed.push(packetId * 2 + type - 4);
    this.#codes.push(PENDING);
    return this.#next++;
  }

  /** Notes an answer and sends every answer that is due. */
  settle(slot: number, reasonCode: number, send: SendAnswer): void {
    this.#codes[slot - this.#base] = reasonCode;
    if (slot !== this.#first) return;
    let at = this.#first - this.#base;
    for (;;) {
      const code = this.#codes[at];
      if (code === undefined || code === PENDING) break;
      const owed = this.#owed[at] as number;
      at++;
      this.#first++;
      send((owed & 1) === 0 ? 4 : 5, owed >> 1, code);
    }
    this.#forget(at);
  }

  #forget(answered: number): void {
    if (answered === this.#codes.length) {
      this.#codes.length = 0;
      this.#owed.length = 0;
      this.#base = this.#first;
    } else if (answered > 1024) {
      this.#codes.splice(0, answered);
      this.#owed.splice(0, answered);
      this.#base = this.#first;
    }
  }
}
