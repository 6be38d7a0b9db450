import {
  type Address,
  type ConnectFields,
  type PublishFields,
  RawClient,
  Scope,
  waitFor,
} from "@canopy/testkit";
import { shardOf } from "@canopy/topic";
import type { Target } from "./target.ts";

let names = 0;

/** A topic level or client identifier that no other test of the file uses. */
export function fresh(name = "t"): string {
  return `${name}${++names}`;
}

/** A packet from its first byte and its body, to send what no encoder would make. */
export function packet(
  first: number,
  ...parts: readonly (Uint8Array | readonly number[])[]
): Buffer {
  const body = Buffer.concat(parts.map((part) => Uint8Array.from(part)));
  return Buffer.concat([Buffer.from([first]), varint(body.length), body]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? byte | 0x80 : byte);
  } while (rest > 0);
  return Buffer.from(bytes);
}

/** A UTF-8 encoded string, or binary data, with its length in front. */
export function utf8(text: string | Uint8Array): Buffer {
  const bytes = Buffer.from(text as string);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

/** Publishes at QoS 1 by a client of its own: what it concerns has it in its socket afterwards. */
export async function publish(
  address: Address,
  topic: string,
  payload: string,
  fields: PublishFields = {},
): Promise<void> {
  const scope = new Scope();
  try {
    const client = await RawClient.connected(address, {}, scope);
    await client.publish(topic, payload, { qos: 1, ...fields });
    await client.disconnect();
  } finally {
    await scope.close();
  }
}

/** Properties of a CONNECT whose session is to last. */
export const lasting = { sessionExpiryInterval: 600 };

type ExpectSession = (
  clientId: string,
  sessionPresent: boolean,
  fields?: ConnectFields,
) => Promise<RawClient>;

/** Connects to the session of a client identifier, which must be there or not. */
export function sessionsOf(broker: Target): ExpectSession {
  return async (clientId, sessionPresent, fields = {}) => {
    const client = await RawClient.open(broker.tcp);
    const connect = { clientId, clean: false, properties: lasting, ...fields };
    await client.connect(connect, { sessionPresent });
    return client;
  };
}

/** Sends an acknowledgement for the packet identifier of what has come. */
export function acknowledge(
  client: RawClient,
  cmd: "puback" | "pubrec" | "pubrel" | "pubcomp",
  messageId: number | undefined,
  reasonCode = 0,
): void {
  client.send({ cmd, messageId: messageId ?? 0, reasonCode });
}

/**
 * Names of the topics under `base` that have a retained message. A value is of no interest to
 * `client` otherwise: it subscribes, and unsubscribes again.
 */
export async function retainedUnder(client: RawClient, base: string): Promise<string[]> {
  const marker = lastUnder(base);
  await client.publish(marker, "here", { qos: 1, retain: true });
  await client.subscribe(`${base}/#`);
  await client.find("publish", { topic: marker, retain: true });
  await client.unsubscribe(`${base}/#`);
  const topics: string[] = [];
  for (const { cmd, topic } of [...client.waiting] as { cmd: string; topic: string }[]) {
    if (cmd !== "publish" || !topic.startsWith(`${base}/`)) continue;
    topics.push((await client.find("publish", { topic })).topic);
  }
  return topics.toSorted();
}

/** A topic under `base` whose retained message comes behind the others: they come by shard and name. */
function lastUnder(base: string): string {
  for (let i = 0; ; i++) {
    const topic = `${base}/~${i}`;
    if ([4, 16].every((shards) => shardOf(topic, shards) === shards - 1)) return topic;
  }
}

/** Settles when a second has passed: a message that lasts as long has expired. */
export async function secondPassed(): Promise<void> {
  const until = Date.now() + 1001;
  await waitFor(() => Date.now() > until, { what: "a second to pass" });
}
