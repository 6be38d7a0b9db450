/** What clients have of a store process that is killed, or stands still. */
import { RawClient, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import type { ServiceProcess } from "../../../session/test/processes/service-process.ts";
import { SHARDS, Stores } from "./stores.ts";

/** ms; long enough for a machine that has other things to do. */
const SHORT_LEASE = 2_000;
/** Of a message without an owner: so long that what comes back in time has it. */
const PATIENCE = { "store.waitTimeout": "40s" };
const NEVER = 0xffff_ffff;

interface World {
  readonly stores: Stores;
  readonly store: ServiceProcess;
  /** Present life of the store process. */
  readonly incarnation: number;
  readonly port: number;
}

async function world(): Promise<World> {
  const stores = await Stores.make({ settings: { "cluster.lease": SHORT_LEASE } });
  const store = stores.of("s1", PATIENCE);
  const gateway = stores.gateway("g1", PATIENCE);
  store.start();
  gateway.start();
  const { listeners } = await gateway.ready();
  const [listener] = listeners as string[];
  const { incarnation } = await stores.member("s1");
  await stores.owns(incarnation, SHARDS);
  return { stores, store, incarnation, port: Number(new URL(listener as string).port) };
}

async function client(port: number, clientId: string): Promise<RawClient> {
  const properties = { sessionExpiryInterval: NEVER };
  const address = { host: "127.0.0.1", port };
  return RawClient.connected(address, { clientId, clean: false, properties });
}

/** Topics of several shards. */
const topicOf = (i: number): string => `t/${i % 7}`;

/** What the subscriber has been sent by topic, when it is so much. */
async function received(subscriber: RawClient, count: number): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (let i = 0; i < count; i++) {
    const { topic, payload } = await subscriber.expect("publish", { qos: 1 });
    found.set(topic, [...(found.get(topic) ?? []), payload.toString()]);
  }
  await subscriber.expectQuiet();
  return found;
}

/** Of the messages with these numbers. */
function wanted(count: number): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (let i = 0; i < count; i++) {
    all.set(topicOf(i), [...(all.get(topicOf(i)) ?? []), String(i)]);
  }
  return all;
}

test("what was acknowledged is there after kill -9, and what comes meanwhile is stored by its next life", async () => {
  const { stores, store, incarnation, port } = await world();
  const subscriber = await client(port, "sub");
  await subscriber.subscribe("t/#", { qos: 1 });
  await subscriber.disconnect();
  const publisher = await client(port, "pub");
  for (let i = 0; i < 20; i++) await publisher.publish(topicOf(i), String(i), { qos: 1 });
  await store.kill();
  const waiting: number[] = [];
  for (let i = 20; i < 40; i++) {
    waiting.push(publisher.sendPublish(topicOf(i), String(i), { qos: 1 }));
  }
  store.start();
  for (const messageId of waiting) await publisher.expect("puback", { messageId, reasonCode: 0 });
  await stores.member("s1", incarnation);
  const again = await client(port, "sub");
  again.acknowledge = true;
  expect(await received(again, 40)).toEqual(wanted(40));
});

test("one that stands still past its lease acknowledges nothing in that life, but in the next", async () => {
  const { stores, store, incarnation, port } = await world();
  const subscriber = await client(port, "sub");
  await subscriber.subscribe("t/#", { qos: 1 });
  subscriber.acknowledge = true;
  const publisher = await client(port, "pub");
  await publisher.publish(topicOf(0), "0", { qos: 1 });
  store.signal("SIGSTOP");
  const waiting: number[] = [];
  for (let i = 1; i < 20; i++) {
    waiting.push(publisher.sendPublish(topicOf(i), String(i), { qos: 1 }));
  }
  await stores.isDown(incarnation);
  // It has all of this in its sockets, and did not see the time go by.
  store.signal("SIGCONT");
  for (const messageId of waiting) await publisher.expect("puback", { messageId, reasonCode: 0 });
  const { incarnation: next } = await stores.member("s1", incarnation);
  await waitFor(() => stores.owned(next) === SHARDS);
  expect(await received(subscriber, 20)).toEqual(wanted(20));
});
