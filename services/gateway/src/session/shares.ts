import type { Returned } from "@canopy/store";
import type { Client } from "../client.ts";
import type { Sub } from "../delivery/sub.ts";
import type { Gateway } from "../gateway.ts";

/**
 * Makes the client a member of the shared subscription's group. One that is made again keeps its
 * place, and what is in flight, unless the group has to know more than before.
 */
export function joinShare(gateway: Gateway, client: Client, sub: Sub): void {
  if (client.ended) return;
  const durable = client.durable && sub.queued;
  const kind = `${durable} ${sub.qos > 0}`;
  if (sub.member !== 0) {
    if (sub.memberKind === kind) return;
    leaveShare(gateway, client, sub);
  }
  sub.memberKind = kind;
  sub.member = gateway.newMember(sub);
  gateway.shards.join(gateway.incarnation, {
    member: sub.member,
    filter: sub.filter,
    durable,
    qos: sub.qos,
    clientId: client.connection.clientId,
    window: client.connection.window.limit,
  });
}

/**
 * What the client has not finished goes to others, but for what was sent at QoS 2: that is its own
 * for good, and ends with its session [MQTT-4.8.2-4] [MQTT-4.8.2-5].
 */
export function leaveShare(gateway: Gateway, client: Client, sub: Sub): void {
  const { member } = sub;
  if (member === 0) return;
  sub.member = 0;
  const keep: { shard: number; offset: number }[] = [];
  for (const { source, qos, shard, offset } of client.connection.window.all()) {
    if (source === sub && qos === 2 && offset !== 0) keep.push({ shard, offset });
  }
  const returned: Returned[] = client.outbox
    .giveUp(sub)
    .map(({ record, topic }) => ({ filter: sub.filter, record, topic }));
  gateway.dropMember(member);
  gateway.shards.leave(gateway.incarnation, member, keep, returned);
}
