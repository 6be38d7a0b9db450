import { expect, test, vi } from "vitest";
import { connect, resume, TestClient } from "./client.ts";
import { World } from "./world.ts";

test("QoS 0 to 2 to transient and durable sessions, and what a durable one missed", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const durable = await resume(world, "durable");
  await durable.subscribe("a/#", { qos: 2 });
  const transient = await connect(world, "transient");
  await transient.subscribe("a/+", { qos: 1 });
  for (const qos of [0, 1, 2] as const) publisher.publish("a/b", `${qos}`, { qos });
  await world.settle();
  expect(durable.payloads().toSorted()).toEqual(["0", "1", "2"]);
  expect(transient.payloads()).toEqual(["0", "1", "2"]);
  durable.transport.drop();
  publisher.publish("a/b", "later", { qos: 2 });
  await world.settle();
  await durable.resume();
  await world.settle();
  expect(durable.payloads()).toEqual(["later"]);
  await world.restart();
  expect((await durable.resume()).sessionPresent).toBe(true);
});

test("[MQTT-4.4.0-1] what a new, overlapping subscription also matches is found again after a takeover", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const client = await resume(world, "c");
  client.acknowledge = false;
  await client.subscribe("a/+", { qos: 1 });
  const release = world.holdLog();
  client.send({ cmd: "subscribe", messageId: 8, subscriptions: [{ topic: "#", qos: 1 }] });
  await world.settle();
  publisher.publish("a/b", "x", { qos: 1 });
  await world.settle();
  expect(client.payloads()).toEqual(["x"]);
  release();
  await world.settle();
  await client.resume();
  await world.settle();
  const [again] = client.takeAll("publish");
  expect(again).toMatchObject({ dup: true });
});

test("[MQTT-4.3.3-1] an identifier of QoS 2 that the client may still hold is not given to another message", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const client = await resume(world, "c");
  client.acknowledge = false;
  const release = world.holdLog();
  client.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "t", qos: 2 }] });
  await world.settle();
  publisher.publish("t", "too early", { qos: 2 });
  await world.settle();
  release();
  await world.settle();
  expect(client.payloads()).toEqual([]);
});

test("[MQTT-4.6.0-1] [MQTT-3.3.4-9] a smaller Receive Maximum at the resumption: in order, and never more than it", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const client = await resume(world, "c");
  client.acknowledge = false;
  await client.subscribe("t", { qos: 2 });
  for (let i = 0; i < 6; i++) publisher.publish("t", `${i}`, { qos: i % 2 === 0 ? 1 : 2 });
  await world.settle();
  const ids = client.takeAll("publish").map(({ messageId }) => messageId);
  client.transport.drop();
  await world.settle();
  await client.resume({ properties: { sessionExpiryInterval: 100, receiveMaximum: 2 } });
  await world.settle();
  const seen: unknown[] = [];
  for (let round = 0; round < 6; round++) {
    const packets = client.takeAll("publish");
    expect(packets.length).toBeLessThanOrEqual(2);
    for (const { messageId = 0, qos, dup } of packets) {
      expect(dup).toBe(true);
      seen.push(messageId);
      client.send({ cmd: qos === 1 ? "puback" : "pubrec", messageId });
    }
    await world.settle();
    for (const { messageId = 0 } of client.takeAll("pubrel")) {
      client.send({ cmd: "pubcomp", messageId });
    }
    await world.settle();
  }
  expect(seen).toEqual(ids);
});

test("[MQTT-3.10.4-2] nothing that was being read comes after UNSUBACK", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const client = await resume(world, "c");
  await client.subscribe("t", { qos: 1 });
  client.acknowledge = false;
  client.transport.drop();
  for (let i = 0; i < 300; i++) publisher.publish("t", `${i}`, { qos: 1 });
  await world.settle(200);
  await client.resume();
  client.send({ cmd: "unsubscribe", messageId: 5, unsubscriptions: ["t"] });
  await world.settle();
  const at = client.packets.findIndex(({ cmd }) => cmd === "unsuback");
  for (const packet of client.packets) {
    if (packet.cmd !== "publish") continue;
    client.send({ cmd: "puback", messageId: packet.messageId ?? 0 });
  }
  await world.settle();
  expect(at).toBeGreaterThanOrEqual(0);
  expect(client.packets.slice(at + 1)).toEqual([]);
});

test("[MQTT-3.1.2-25] messages larger than the client takes count as finished, however many they are", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const client = await resume(world, "c");
  await client.subscribe("t", { qos: 1 });
  client.transport.drop();
  const large = Buffer.alloc(1000);
  for (let i = 0; i < 500; i++) {
    publisher.publish("t", large, { qos: 1 });
    if (i % 50 === 0) await world.settle(20);
  }
  publisher.publish("t", "small", { qos: 1 });
  await world.settle(200);
  await client.resume({ properties: { sessionExpiryInterval: 100, maximumPacketSize: 500 } });
  await world.settle(500);
  expect(client.payloads()).toEqual(["small"]);
  client.transport.drop();
  await world.settle();
  await client.resume();
  await world.settle();
  expect(client.payloads()).toEqual([]);
});

test("[MQTT-3.1.2-24] no packet becomes too large by a topic alias", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const client = new TestClient(world, "c");
  const maximumPacketSize = 40;
  await client.connect({ properties: { topicAliasMaximum: 5, maximumPacketSize } });
  await client.subscribe("#");
  for (let size = 20; size < 45; size++) publisher.publish(`t/${size}`, Buffer.alloc(size, 46));
  const received = client.transport.bytes;
  await world.settle();
  const packets = client.takeAll("publish");
  expect(packets.length).toBeGreaterThan(10);
  for (const { length = 0 } of packets) expect(length + 2).toBeLessThanOrEqual(maximumPacketSize);
  expect(client.transport.bytes).toBeGreaterThan(received);
});

test("progress that could not be committed is told later", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const client = await resume(world, "c");
  await client.subscribe("t", { qos: 1 });
  const release = world.holdLog();
  publisher.publish("t", "x", { qos: 1 });
  await world.pass(500);
  expect(client.payloads()).toEqual(["x"]);
  client.transport.drop();
  await world.pass(500);
  release();
  await world.pass(1000);
  await client.resume();
  await world.settle();
  expect(client.payloads()).toEqual([]);
});

test("a backlog that has to wait for its share of the time goes on when live traffic stops", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const live = await connect(world, "live");
  await live.subscribe("live");
  const client = await resume(world, "c");
  await client.subscribe("t", { qos: 1 });
  client.transport.drop();
  const all = Array.from({ length: 900 }, (_, i) => `${i}`);
  for (let i = 0; i < all.length; i += 10) {
    for (const text of all.slice(i, i + 10)) publisher.publish("t", text, { qos: 1 });
    await world.settle(10);
  }
  await world.settle();
  const now = world.time.now.bind(world.time);
  let passed = 0;
  let step = 0.1;
  vi.spyOn(world.time, "now").mockImplementation(() => now() + (passed += step));
  client.open({ clean: false, properties: { sessionExpiryInterval: 0xff_ff_ff_ff } });
  const found: string[] = [];
  for (let turn = 0; turn < 200 && found.length < 100; turn++) {
    publisher.publish("live", "x");
    await world.settle(1);
    found.push(...client.payloads());
  }
  step = 0;
  await world.settle();
  found.push(...client.payloads());
  expect(found.length).toBeLessThan(all.length);
  // it sleeps until its time has come, and makes no turns
  const { turn } = world.gateway;
  await world.settle(100);
  expect(world.gateway.turn - turn).toBeLessThan(5);
  step = 0.1;
  await world.pass(10, 1);
  await world.settle(200);
  found.push(...client.payloads());
  expect(found).toEqual(all);
});

test("[MQTT-3.3.4-4] what is read from a queue has the identifiers of all subscriptions that match, also at QoS 0", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const client = await resume(world, "c");
  const subscribe = (topic: string, qos: 0 | 1, subscriptionIdentifier: number): void => {
    const subscriptions = [{ topic, qos }];
    const properties = { subscriptionIdentifier };
    client.send({ cmd: "subscribe", messageId: client.nextId(), subscriptions, properties });
  };
  subscribe("a/+", 1, 7);
  subscribe("#", 0, 8);
  subscribe("b/#", 0, 9);
  await world.settle();
  client.transport.drop();
  publisher.publish("a/b", "x", { qos: 1 });
  await world.settle();
  await client.resume();
  await world.settle();
  const [got] = client.takeAll("publish");
  expect(got?.properties?.subscriptionIdentifier).toEqual([7, 8]);
});
