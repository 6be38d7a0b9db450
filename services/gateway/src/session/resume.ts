import { DELIVERY } from "@canopy/connection";
import { type ReadRequest, storedBody } from "@canopy/store";
import type { Client } from "../client.ts";
import { mergeSubs, type SubDelivery } from "../delivery/sub.ts";
import type { Gateway } from "../gateway.ts";

const RETRY = 250;

/**
 * Sends again what an earlier connection left unfinished, in its order and under its packet
 * identifiers [MQTT-4.4.0-1] [MQTT-4.6.0-1]: PUBLISH with DUP, or PUBREL.
 */
export async function resend(
  gateway: Gateway,
  client: Client,
  deliveries: readonly SubDelivery[],
): Promise<void> {
  if (deliveries.length === 0) return;
  const bodies = await bodiesOf(gateway, client, deliveries);
  if (client.ended || gateway.stopped) return;
  for (const [i, delivery] of deliveries.entries()) sendAgain(gateway, client, delivery, bodies[i]);
  client.outbox.pump();
  client.touch();
}

function sendAgain(
  gateway: Gateway,
  client: Client,
  delivery: SubDelivery,
  body: Uint8Array | undefined,
): void {
  const { outbox, connection } = client;
  const topic = body === undefined ? undefined : gateway.topicOf(body);
  if (delivery.state === DELIVERY.assigning && (body === undefined || topic === undefined)) {
    // the body is gone (policy, expiry): dropped at QoS 1; at QoS 2 the identifier is completed
    if (delivery.qos === 1) {
      outbox.complete(delivery);
      return;
    }
    delivery.state = DELIVERY.receiving;
  }
  if (delivery.state === DELIVERY.receiving) {
    connection.release(delivery);
    return;
  }
  if (body === undefined || topic === undefined) return;
  const { record } = gateway.writer;
  record.set(body, 0, body.length);
  const { source: sub, retainedTopic } = delivery;
  // as it was sent first: for all subscriptions that match it [MQTT-3.3.4-3]
  const matching = sub.shared ? [] : client.subscriptions.matching(topic.name);
  const { retainAsPublished, idBytes } = matching.length === 0 ? sub : mergeSubs(matching);
  const retain = retainedTopic !== undefined || (record.retain && retainAsPublished);
  const rest = { stream: undefined, outdated: false };
  outbox.addResend({ delivery, record: body, topic, retain, idBytes, ...rest });
}

/** Where a body is not needed (PUBREL is owed) or gone, undefined. */
async function bodiesOf(
  gateway: Gateway,
  client: Client,
  deliveries: readonly SubDelivery[],
): Promise<(Uint8Array | undefined)[]> {
  for (;;) {
    try {
      return await read(gateway, deliveries);
    } catch (error) {
      gateway.logger.warn({ error }, "reading unfinished messages failed; trying again");
      await gateway.pause(RETRY);
      if (client.ended || gateway.stopped) return [];
    }
  }
}

async function read(
  gateway: Gateway,
  deliveries: readonly SubDelivery[],
): Promise<(Uint8Array | undefined)[]> {
  const bodies: (Uint8Array | undefined)[] = deliveries.map(() => undefined);
  const requests: ReadRequest[] = [];
  const places: number[] = [];
  for (const [i, { state, retainedTopic, shard, offset, source }] of deliveries.entries()) {
    if (state !== DELIVERY.assigning) continue;
    if (retainedTopic !== undefined) {
      bodies[i] = await gateway.shards.retainedAt(shard, retainedTopic, offset);
      continue;
    }
    places.push(i);
    const queues = [{ queue: source.filter, after: offset - 1 }];
    requests.push({ shard, queues, messages: 1, bytes: 1 });
  }
  if (requests.length === 0) return bodies;
  const results = await gateway.shards.read(requests);
  for (const [k, i] of places.entries()) {
    const message = results[k]?.messages[0];
    if (message !== undefined && message.offset === deliveries[i]?.offset) {
      bodies[i] = storedBody(message);
    }
  }
  return bodies;
}
