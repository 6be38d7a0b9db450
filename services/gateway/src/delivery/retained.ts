import type { ShardRetainedPage } from "@canopy/store";
import type { Client } from "../client.ts";
import type { Gateway } from "../gateway.ts";
import type { Sub } from "./sub.ts";

/** One page of retained values. */
const PAGE_MESSAGES = 100;
const PAGE_BYTES = 256 * 1024;
const RETRY = 250;

/**
 * Sends the retained values that match a new subscription [MQTT-3.8.4-4]: those that were there
 * when it came into force (offset at most `upTo`, per shard); later ones come live.
 */
export async function sendRetained(
  gateway: Gateway,
  client: Client,
  sub: Sub,
  upTo: readonly number[],
): Promise<void> {
  const { outbox } = client;
  gateway.system.sendTo(client, sub);
  if (gateway.shards.counts().retained > 0) {
    outbox.liveRetained ??= new Set();
    client.retainedStreams++;
    try {
      await stream(gateway, client, sub, upTo);
    } finally {
      client.retainedStreams--;
      if (client.retainedStreams === 0) outbox.liveRetained = undefined;
    }
  }
  if (client.ended || !client.durable || sub.draining) return;
  client.retainedSent.push(sub.filter);
  client.progressed();
}

async function stream(
  gateway: Gateway,
  client: Client,
  sub: Sub,
  upTo: readonly number[],
): Promise<void> {
  const request = { filter: sub.plainFilter, upTo, messages: PAGE_MESSAGES, bytes: PAGE_BYTES };
  let after: string | undefined;
  do {
    await roomFor(client);
    if (client.ended || sub.draining) return;
    let page: ShardRetainedPage;
    try {
      page = await gateway.shards.retained({ ...request, after });
    } catch (error) {
      gateway.logger.warn({ error }, "reading retained messages failed; trying again");
      await gateway.pause(RETRY);
      continue;
    }
    if (client.ended || sub.draining) return;
    for (const { shard, topic, offset, body } of page.messages) {
      deliver(gateway, client, sub, shard, topic, offset, body);
    }
    if (page.next === undefined) return;
    after = page.next;
  } while (!gateway.stopped);
}

function deliver(
  gateway: Gateway,
  client: Client,
  sub: Sub,
  shard: number,
  name: string,
  offset: number,
  body: Uint8Array,
): void {
  const { outbox } = client;
  const topic = gateway.topics.internString(name);
  // a newer value of this topic has come live meanwhile
  if (topic === undefined || outbox.liveRetained?.has(name) === true) return;
  const { writer } = gateway;
  if (!writer.begin(body, 0, body.length, false)) return;
  const { record } = writer;
  if (sub.noLocal && client.isPublisher(record)) return;
  const qos = record.qos < sub.qos ? record.qos : sub.qos;
  if (qos === 0) outbox.unacknowledged(topic, true, sub.idBytes);
  else outbox.acknowledged(sub, topic, qos, true, sub.idBytes, shard, offset, name); // [MQTT-3.3.1-8]
}

/** Waits until nothing waits in memory for this client, nor in its socket. */
async function roomFor(client: Client): Promise<void> {
  const { outbox } = client;
  if (outbox.waiting === 0 && !outbox.congested) return;
  await new Promise<void>((resolve) => {
    outbox.onEmpty.push(resolve);
  });
}
