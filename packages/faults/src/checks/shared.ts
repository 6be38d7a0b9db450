import type { Received } from "../history/event.ts";
import { type Digest, laneOf, type Placed } from "./digest.ts";
import { due } from "./lost.ts";
import { type Interest, interests, isOld, messageOf, nameOf, plain } from "./receptions.ts";

/** For how long what was done to a process has an effect on deliveries, ms. */
const SHORTLY = 5000;

/**
 * Shared groups: what was acknowledged since a durable member was there reaches at least one member.
 * A QoS 2 message reaches one, once [MQTT-4.8.2-5]; a QoS 1 message comes again only if its publisher
 * sent it again, if the connection of the member that had it has ended [MQTT-4.8.2-4], or if something
 * was done to a process about then: an owner that was killed has not stored all that was acknowledged.
 */
export function shared(digest: Digest): string[] {
  const groups = new Map<string, Interest[]>();
  for (const interest of interests(digest)) {
    if (interest.share === undefined) continue;
    const name = `$share/${interest.share}/${interest.filter}`;
    groups.set(name, [...(groups.get(name) ?? []), interest]);
  }
  return [...groups].flatMap(([name, members]) =>
    ofGroup(digest, members).map((text) => `${name}: ${text}`),
  );
}

function ofGroup(digest: Digest, members: readonly Interest[]): string[] {
  const clients = new Set(members.map(({ subscription }) => subscription.client));
  const deliveries = new Map<string, Placed<Received>[]>();
  const found: string[] = [];
  for (const event of plain(digest)) {
    if (!clients.has(event.client) || event.isRepeated) continue;
    if (isOld(digest, event)) {
      if (event.qos === 2) found.push(`${event.client} got ${nameOf(event)} long after`);
      continue;
    }
    const name = `${laneOf(event.publisher, event.topic)} ${event.seq}`;
    deliveries.set(name, [...(deliveries.get(name) ?? []), event]);
  }
  for (const several of deliveries.values()) found.push(...repeated(digest, several));
  const first = members.find(({ isDurable }) => isDurable);
  for (const message of first === undefined ? [] : due(digest, first)) {
    const name = `${laneOf(message.publisher, message.topic)} ${message.seq}`;
    if (!deliveries.has(name)) found.push(`nobody got ${nameOf(message)}`);
  }
  return found;
}

function repeated(digest: Digest, deliveries: readonly Placed<Received>[]): string[] {
  const [first] = deliveries;
  if (first === undefined || deliveries.length < 2) return [];
  const message = messageOf(digest, first);
  const who = () =>
    deliveries.map(({ client, connection }) => `${client}/${connection}`).join(", ");
  if (first.qos === 2) return [`${nameOf(first)} at QoS 2 went to ${who()}`];
  if (message === undefined || (message.qos === 1 && message.sends.length > 1)) return [];
  const without = deliveries.slice(0, -1).every(({ connection }, i) => {
    const isAnother = deliveries[i + 1]?.connection !== connection;
    return isAnother && digest.connections.get(connection)?.closed !== undefined;
  });
  if (without || isTroubled(digest, first.at, deliveries.at(-1)?.at ?? first.at)) return [];
  return [`${nameOf(first)} went to ${who()}, who are still there`];
}

/** Something was done to a process then, or shortly before. */
function isTroubled({ faults }: Digest, from: number, until: number): boolean {
  return faults.some(({ at }) => at > from - SHORTLY && at < until);
}
