import { expect, test } from "vitest";
import { connect, TestClient } from "./client.ts";
import { World } from "./world.ts";

async function retain(world: World, count: number, qos: 0 | 1): Promise<TestClient> {
  const publisher = await connect(world, "publisher");
  for (let i = 0; i < count; i++) {
    publisher.publish(`r/${i}`, `${i}`, { qos, retain: true });
    if (i % 50 === 49) await world.settle(20);
  }
  await world.settle();
  return publisher;
}

test("[MQTT-3.8.4-4] of many subscriptions at once overflow no queue", async () => {
  const world = await World.start({ limits: { transientQueueMessages: 150 } });
  await retain(world, 120, 1);
  const client = new TestClient(world, "c");
  await client.connect({ properties: { receiveMaximum: 5 } });
  const subscriptions = ["r/#", "r/+", "#"].map((topic) => ({ topic, qos: 1 as const }));
  client.send({ cmd: "subscribe", messageId: 1, subscriptions });
  await world.settle(2000);
  expect(client.isClosed).toBe(false);
  expect(client.payloads().length).toBe(360);
});

test("[MQTT-3.10.4-2] stop with their subscription", async () => {
  const world = await World.start();
  await retain(world, 300, 1);
  const client = new TestClient(world, "c");
  client.acknowledge = false;
  await client.connect({ properties: { receiveMaximum: 5 } });
  await client.subscribe("r/#", { qos: 1 });
  await client.unsubscribe("r/#");
  client.acknowledge = true;
  for (const { messageId = 0 } of client.takeAll("publish")) {
    client.send({ cmd: "puback", messageId });
  }
  await world.settle(500);
  expect(client.payloads().length).toBeLessThanOrEqual(100); // the page that waited already
});

test("no older value comes after a newer one", async () => {
  const world = await World.start();
  const publisher = await retain(world, 20, 1);
  const client = new TestClient(world, "c");
  client.acknowledge = false;
  await client.connect({ properties: { receiveMaximum: 2 } });
  await client.subscribe("r/#", { qos: 1 });
  publisher.publish("r/19", "newer", { retain: true });
  await world.settle();
  client.acknowledge = true;
  for (const { messageId, qos } of [...client.packets] as {
    messageId?: number;
    qos?: number;
  }[]) {
    if (qos === 1) client.send({ cmd: "puback", messageId: messageId ?? 0 });
  }
  await world.settle(500);
  const last = client.takeAll("publish").filter(({ topic }) => topic === "r/19");
  expect(last.map(({ payload }) => payload.toString())).toEqual(["newer"]);
});

test("those that a durable session did not get come when it is resumed", async () => {
  const world = await World.start();
  await retain(world, 50, 1);
  const client = new TestClient(world, "c");
  client.acknowledge = false;
  await client.resume({ properties: { sessionExpiryInterval: 100, receiveMaximum: 3 } });
  await client.subscribe("r/#", { qos: 1 });
  await world.pass(1000);
  expect(client.payloads().length).toBe(3);
  client.transport.drop();
  await world.settle();
  client.acknowledge = true;
  await client.resume();
  await world.settle(500);
  expect(new Set(client.payloads()).size).toBe(50);
});
