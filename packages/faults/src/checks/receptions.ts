import { parseFilter } from "@canopy/topic";
import type { Received } from "../history/event.ts";
import { isRetainedTopic, isWillTopic } from "../workload/topics.ts";
import { type Digest, laneOf, type Message, type Placed, type Subscription } from "./digest.ts";

/** A subscription with its filter taken apart. */
export interface Interest {
  readonly subscription: Subscription;
  readonly share: string | undefined;
  readonly filter: string;
  readonly isDurable: boolean;
}

/** What was granted, each filter of a durable client once. */
export function interests({ subscriptions, connections, clients }: Digest): Interest[] {
  const durable = new Set<string>();
  for (const [client, all] of clients) if (all.some((one) => one.isDurable)) durable.add(client);
  const found = new Map<string, Interest>();
  for (const subscription of subscriptions) {
    const { client, connection, filter: text } = subscription;
    const parsed = parseFilter(text);
    if (!parsed.ok) throw new Error(`not a topic filter: ${text}`);
    const isDurable = connections.get(connection)?.isDurable ?? durable.has(client);
    const name = `${client} ${isDurable ? "" : connection} ${text}`;
    if (found.has(name)) continue;
    found.set(name, { subscription, share: parsed.share, filter: parsed.filter, isDurable });
  }
  return [...found.values()];
}

/** Deliveries of what publishers sent, neither retained values nor wills. */
export function plain({ received }: Digest): Placed<Received>[] {
  return received.filter(({ topic }) => !isRetainedTopic(topic) && !isWillTopic(topic));
}

export function messageOf({ lanes }: Digest, event: Received): Message | undefined {
  return lanes.get(laneOf(event.publisher, event.topic))?.get(event.seq);
}

/** It was sent before what is kept of the history began. */
export function isOld({ floors }: Digest, event: Placed<Received>): boolean {
  const floor = floors.get(laneOf(event.publisher, event.topic));
  return floor !== undefined && event.seq <= floor.seq && event.place > floor.place;
}

export function nameOf({ publisher, topic, seq }: Pick<Message, "publisher" | "topic" | "seq">) {
  return `${publisher}:${seq} on ${topic}`;
}
