import type { Delivery } from "./delivery.ts";

/**
 * Deliveries in flight by packet identifier. Identifiers are used round robin, so that a late
 * acknowledgement of an old one does not hit a new one. At most `limit` at a time: the client's
 * Receive Maximum [MQTT-3.3.4-9], or the broker's own bound where that is less.
 */
export class Window<S> {
  readonly limit: number;
  readonly #byId = new Map<number, Delivery<S>>();
  #lastId = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get size(): number {
    return this.#byId.size;
  }

  get room(): number {
    return this.limit - this.#byId.size;
  }

  /** Gives the delivery a packet identifier that is not in use [MQTT-2.2.1-4]. */
  add(delivery: Delivery<S>): number {
    let id = this.#lastId;
    do {
      id = id === 65_535 ? 1 : id + 1;
    } while (this.#byId.has(id));
    this.#lastId = id;
    delivery.packetId = id;
    this.#byId.set(id, delivery);
    return id;
  }

  /** Takes over a delivery of an earlier connection, under its own identifier [MQTT-4.4.0-1]. */
  restore(delivery: Delivery<S>, packetId: number): void {
    delivery.packetId = packetId;
    this.#byId.set(packetId, delivery);
    if (packetId > this.#lastId) this.#lastId = packetId;
  }

  get(packetId: number): Delivery<S> | undefined {
    return this.#byId.get(packetId);
  }

  remove(packetId: number): void {
    this.#byId.delete(packetId);
  }

  /** In the order in which they were added. */
  all(): IterableIterator<Delivery<S>> {
    return this.#byId.values();
  }
}
