import type { Delivery } from "./delivery.ts";

const HIGHEST_ID = 65_535;
const SMALLEST = 16;
const NO_SLOTS: never[] = [];

/**
 * Deliveries in flight by packet identifier. Identifiers are used round robin, so that a late
 * acknowledgement of an old one does not hit a new one. At most `limit` at a time: the client's
 * Receive Maximum [MQTT-3.3.4-9], or the broker's own bound where that is less.
 *
 * A delivery stands in the slot of its identifier's low bits. There are at least twice as many slots
 * as deliveries, so a new one finds a free slot at once, without a hash or a search.
 */
export class Window<S> {
  readonly limit: number;
  #slots: (Delivery<S> | undefined)[] = NO_SLOTS;
  #size = 0;
  #lastId = 0;
  #lastOrder = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  get room(): number {
    return this.limit - this.#size;
  }

  /** Gives the delivery a packet identifier that is not in use [MQTT-2.2.1-4]. */
  add(delivery: Delivery<S>): number {
    if (this.#slots.length < (this.#size + 1) * 2) this.#grow();
    const mask = this.#slots.length - 1;
    let id = this.#lastId;
    do {
      id = id === HIGHEST_ID ? 1 : id + 1;
    } while (this.#slots[id & mask] !== undefined);
    this.#put(delivery, id);
    this.#lastId = id;
    return id;
  }

  /** Takes over a delivery of an earlier connection, under its own identifier [MQTT-4.4.0-1]. */
  restore(delivery: Delivery<S>, packetId: number): void {
    this.remove(packetId);
    while (
      this.#slots.length < (this.#size + 1) * 2 ||
      this.#slots[packetId & (this.#slots.length - 1)] !== undefined
    ) {
      this.#grow();
    }
    this.#put(delivery, packetId);
    if (packetId > this.#lastId) this.#lastId = packetId;
  }

  /** It is sent only now, behind others that were added later: their order is that of sending. */
  sentLate(delivery: Delivery<S>): void {
    delivery.order = ++this.#lastOrder;
  }

  get(packetId: number): Delivery<S> | undefined {
    const delivery = this.#slots[packetId & (this.#slots.length - 1)];
    return delivery?.packetId === packetId ? delivery : undefined;
  }

  remove(packetId: number): void {
    if (this.get(packetId) === undefined) return;
    this.#slots[packetId & (this.#slots.length - 1)] = undefined;
    this.#size--;
  }

  /** In the order in which they were added, or sent. */
  all(): Delivery<S>[] {
    const all = this.#slots.filter((delivery) => delivery !== undefined);
    return all.sort((a, b) => a.order - b.order);
  }

  #put(delivery: Delivery<S>, id: number): void {
    delivery.packetId = id;
    delivery.order = ++this.#lastOrder;
    this.#slots[id & (this.#slots.length - 1)] = delivery;
    this.#size++;
  }

  /** Twice as many slots; with 2¹⁶ each identifier has its own. */
  #grow(): void {
    const length = Math.max(SMALLEST, this.#slots.length * 2);
    const slots: (Delivery<S> | undefined)[] = [];
    for (let i = 0; i < length; i++) slots.push(undefined);
    for (const delivery of this.#slots) {
      if (delivery !== undefined) slots[delivery.packetId & (length - 1)] = delivery;
    }
    this.#slots = slots;
  }
}
