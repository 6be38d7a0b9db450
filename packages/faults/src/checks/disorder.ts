import { matchesFilter } from "@canopy/topic";
import type { Received } from "../history/event.ts";
import type { Digest, Message, Placed } from "./digest.ts";
import { type Interest, interests, isOld, messageOf, nameOf, plain } from "./receptions.ts";

/**
 * Order per publisher and topic [MQTT-4.6.0-6]: the first deliveries of messages to a subscriber are
 * in the order in which they were first sent. To a member of a shared group no order is promised.
 * Where a subscription begins in the midst of a repetition (QoS 1, 5 6 5 6), what was sent before it
 * may come when it is repeated.
 */
export function disorder(digest: Digest): string[] {
  const found: string[] = [];
  const seen = new Map<string, { highest: number; readonly all: Set<number> }>();
  const all = interests(digest);
  const members = new Set(
    all.filter(({ share }) => share !== undefined).map(({ subscription }) => subscription.client),
  );
  for (const event of plain(digest)) {
    if (members.has(event.client) || isOld(digest, event)) continue;
    const message = messageOf(digest, event);
    if (message === undefined) continue;
    const isDurable = digest.connections.get(event.connection)?.isDurable ?? false;
    const who = isDurable ? event.client : `${event.client} on connection ${event.connection}`;
    const name = `${who} ${event.publisher} ${event.topic}`;
    const lane = seen.get(name) ?? { highest: 0, all: new Set() };
    seen.set(name, lane);
    if (lane.all.has(event.seq)) continue;
    lane.all.add(event.seq);
    if (event.seq > lane.highest) {
      lane.highest = event.seq;
    } else if (!isRepetition(event, message, all)) {
      found.push(`${who} got ${nameOf(event)} after ${lane.highest}`);
    }
  }
  return found;
}

/** It was sent first before this subscriber was there, and then again. */
function isRepetition(
  event: Placed<Received>,
  { sends, qos }: Message,
  all: readonly Interest[],
): boolean {
  if (qos !== 1 || sends.length < 2) return false;
  const first = sends[0]?.place ?? 0;
  return all.some(
    ({ subscription, filter, isDurable }) =>
      subscription.client === event.client &&
      (isDurable || subscription.connection === event.connection) &&
      matchesFilter(filter, event.topic) &&
      first < subscription.place,
  );
}
