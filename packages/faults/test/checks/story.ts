import type { Event, What } from "../../src/history/event.ts";

type Rest<K extends What["kind"]> = Omit<Extract<What, { readonly kind: K }>, "kind">;
type Short<T, Given extends keyof T> = Omit<T, Given> & Partial<Pick<T, Given>>;

/** A history told in the order in which it happened, for the tests of the checks: 1 ms per event. */
export class Story {
  readonly events: Event[] = [];
  #at = 0;

  /** Lets time pass, ms. */
  wait(ms: number): this {
    this.#at += ms;
    return this;
  }

  /** CONNECT and CONNACK. */
  connected(
    client: string,
    connection: number,
    more: Partial<Rest<"connect"> & { isPresent: boolean }> = {},
  ): this {
    const { isPresent = false, ...rest } = more;
    this.#add({ kind: "connect", client, connection, gateway: "g1", isDurable: true, ...rest });
    return this.#add({ kind: "connack", client, connection, code: 0, isPresent });
  }

  /** CONNECT without an answer. */
  tried(client: string, connection: number, more: Partial<Rest<"connect">> = {}): this {
    return this.#add({
      kind: "connect",
      client,
      connection,
      gateway: "g1",
      isDurable: true,
      ...more,
    });
  }

  subscribed(client: string, connection: number, filter: string, qos: 1 | 2 = 2): this {
    return this.#add({ kind: "subscribed", client, connection, filter, qos });
  }

  sent(client: string, seq: number, more: Partial<Rest<"sent">> = {}): this {
    const given = { connection: 1, topic: "f/1", qos: 2, retain: false, dup: false, packetId: 1 };
    return this.#add({ kind: "sent", client, seq, ...given, ...more } as What);
  }

  acknowledged(client: string, seq: number, more: Partial<Rest<"acknowledged">> = {}): this {
    const given = { connection: 1, topic: "f/1", qos: 2, code: 0 };
    return this.#add({ kind: "acknowledged", client, seq, ...given, ...more } as What);
  }

  /** Sent and acknowledged. */
  published(client: string, seq: number, more: Partial<Rest<"sent">> = {}): this {
    const { connection, topic, qos } = more;
    const same = {
      ...(connection !== undefined && { connection }),
      ...(topic !== undefined && { topic }),
      ...(qos !== undefined && { qos }),
    };
    return this.sent(client, seq, more).acknowledged(client, seq, same);
  }

  received(
    client: string,
    connection: number,
    publisher: string,
    seq: number,
    more: Partial<Rest<"received">> = {},
  ): this {
    const where = { client, connection, publisher, seq };
    const given: Short<Rest<"received">, keyof typeof where> = {
      topic: "f/1",
      qos: 2,
      dup: false,
      retain: false,
      packetId: 1,
      isRepeated: false,
    };
    return this.#add({ kind: "received", ...given, ...where, ...more });
  }

  leaving(client: string, connection: number, code = 0): this {
    return this.#add({ kind: "leaving", client, connection, code });
  }

  closed(client: string, connection: number): this {
    return this.#add({ kind: "closed", client, connection, by: "broker", code: -1 });
  }

  reading(client: string, connection: number, phase: "begin" | "end"): this {
    return this.#add({ kind: "reading", client, connection, phase, filter: "r/#" });
  }

  fault(process: string, phase: "begin" | "end"): this {
    return this.#add({ kind: "fault", name: "kill", process, phase });
  }

  settled(publisher: string, seq: number, topic = "f/1"): this {
    return this.#add({ kind: "settled", publisher, topic, seq });
  }

  #add(what: What): this {
    this.events.push({ at: ++this.#at, ...what });
    return this;
  }
}
