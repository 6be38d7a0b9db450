import { matchesFilter } from "@canopy/topic";
import { isRetainedTopic } from "../workload/topics.ts";
import type { Digest, Message } from "./digest.ts";
import { type Interest, interests, nameOf, plain } from "./receptions.ts";

/**
 * Nothing acknowledged is lost: what was first sent after a SUBACK, and was acknowledged, reaches
 * that subscriber: a durable one whatever happened to its connections; a transient one while its
 * connection lasts, and without gaps in what came before it broke.
 */
export function lost(digest: Digest): string[] {
  const seen = receivedBy(digest);
  const found = new Set<string>();
  for (const interest of interests(digest)) {
    if (interest.share !== undefined) continue;
    const who = whoOf(interest);
    const isWhole = interest.isDurable || isOpen(digest, interest);
    for (const message of due(digest, interest)) {
      const lane = seen.get(`${who} ${message.publisher} ${message.topic}`);
      if (lane?.has(message.seq)) continue;
      if (isWhole || highest(lane) > message.seq) found.add(`${who} misses ${nameOf(message)}`);
    }
  }
  return [...found];
}

/** Acknowledged messages that match, sent when the subscription was granted. */
export function* due(
  { lanes }: Digest,
  { filter, subscription }: Pick<Interest, "filter" | "subscription">,
): Generator<Message> {
  for (const lane of lanes.values()) {
    for (const message of lane.values()) {
      if (isRetainedTopic(message.topic) || !matchesFilter(filter, message.topic)) break;
      const isLater = (message.sends[0]?.place ?? 0) > subscription.place;
      if (isLater && message.acknowledged !== undefined) yield message;
    }
  }
}

function whoOf({ isDurable, subscription }: Interest): string {
  const { client, connection } = subscription;
  return isDurable ? client : `${client} on connection ${connection}`;
}

function isOpen({ connections }: Digest, { subscription }: Interest): boolean {
  const connection = connections.get(subscription.connection);
  return connection?.closed === undefined && connection?.leaving === undefined;
}

/** By subscriber, publisher and topic; by connection too, for the transient ones. */
function receivedBy(digest: Digest): Map<string, Set<number>> {
  const seen = new Map<string, Set<number>>();
  for (const { client, connection, publisher, topic, seq } of plain(digest)) {
    for (const who of [client, `${client} on connection ${connection}`]) {
      const name = `${who} ${publisher} ${topic}`;
      const lane = seen.get(name) ?? new Set();
      seen.set(name, lane.add(seq));
    }
  }
  return seen;
}

function highest(lane: ReadonlySet<number> | undefined): number {
  let result = 0;
  for (const seq of lane ?? []) result = Math.max(result, seq);
  return result;
}
