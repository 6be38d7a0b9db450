import type { Digest } from "./digest.ts";
import { interests, isOld, messageOf, nameOf, plain } from "./receptions.ts";

/**
 * No QoS 2 message twice: it is delivered once to a durable session, and once on a connection of a
 * transient one. A QoS 1 message is delivered on one connection as often as its publisher sent it:
 * what a reconnecting subscriber left unacknowledged comes again on the new connection only.
 */
export function twice(digest: Digest): string[] {
  const found: string[] = [];
  const counts = new Map<string, number>();
  const members = new Set<string>();
  for (const { share, subscription } of interests(digest)) {
    if (share !== undefined) members.add(subscription.client);
  }
  for (const event of plain(digest)) {
    if (event.isRepeated || members.has(event.client)) continue;
    const { client, connection: number, qos } = event;
    const connection = digest.connections.get(number);
    const isExact = qos === 2;
    if (isOld(digest, event)) {
      const floor = digest.floors.get(`${event.publisher} ${event.topic}`)?.place ?? 0;
      const isNew = (connection?.connect.place ?? 0) > floor;
      const isRight = !isExact && isNew;
      if (!isRight) found.push(`${client} got ${nameOf(event)} again, long after it was settled`);
      continue;
    }
    const message = messageOf(digest, event);
    if (message === undefined) continue;
    const who = isExact && connection?.isDurable ? client : `${client} on connection ${number}`;
    const name = `${who} ${nameOf(event)}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    const allowed = message.qos === 2 ? 1 : message.sends.length;
    if (count > allowed) {
      const times = `${count} times at QoS ${qos}, sent ${message.sends.length} times`;
      found.push(`${who} got ${nameOf(event)} ${times} at QoS ${message.qos}`);
    }
  }
  return found;
}
