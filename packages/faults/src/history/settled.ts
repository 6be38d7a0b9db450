import { isRetainedTopic, isWillTopic } from "../workload/topics.ts";
import type { Event } from "./event.ts";

/**
 * What later checks need of a history that is settled: the connections that are still open, the
 * subscriptions, how far each publisher had come on each topic, which values the retained topics had
 * at least, and all about wills, some of which may still come.
 */
export function settled(events: readonly Event[]): Event[] {
  const floors = new Floors();
  const open = openConnections(events);
  const connects = events.filter((event) => event.kind === "connect");
  const mortal = new Set(connects.filter(({ will }) => will).map(({ connection }) => connection));
  const durable = new Set(connects.filter((one) => one.isDurable).map(({ client }) => client));
  const kept: Event[] = [];
  for (const event of events) {
    if (isKept(event)) kept.push(event);
    floors.see(event);
  }
  return [...kept, ...floors.events()].sort((a, b) => a.at - b.at);

  function isKept(event: Event): boolean {
    switch (event.kind) {
      case "connect":
      case "connack":
        return open.has(event.connection) || mortal.has(event.connection);
      case "leaving":
      case "closed":
        return mortal.has(event.connection);
      case "subscribed":
        return durable.has(event.client) || open.has(event.connection);
      case "received":
        return isWillTopic(event.topic);
      case "fault":
        return true;
      default:
        return false;
    }
  }
}

function openConnections(events: readonly Event[]): Set<number> {
  const open = new Set<number>();
  for (const event of events) {
    if (event.kind === "connect") open.add(event.connection);
    else if (event.kind === "closed") open.delete(event.connection);
  }
  return open;
}

/** The latest numbers of publishers and retained topics. */
class Floors {
  readonly #highest = new Map<string, Event>();

  see(event: Event): void {
    const { at } = event;
    if (event.kind === "sent" || event.kind === "settled") {
      const publisher = event.kind === "sent" ? event.client : event.publisher;
      const { topic, seq } = event;
      this.#raise(`${publisher} ${topic}`, { kind: "settled", at, publisher, topic, seq });
    }
    const isValue =
      event.kind === "received" || (event.kind === "acknowledged" && event.code < 0x80);
    if (event.kind === "value" || (isValue && isRetainedTopic(event.topic))) {
      const { topic, seq } = event;
      this.#raise(topic, { kind: "value", at, topic, seq });
    }
  }

  events(): Event[] {
    return [...this.#highest.values()];
  }

  #raise(name: string, event: Extract<Event, { readonly kind: "settled" | "value" }>): void {
    const known = this.#highest.get(name);
    const seq = known !== undefined && "seq" in known ? known.seq : 0;
    if (event.seq >= seq) this.#highest.set(name, event);
  }
}
