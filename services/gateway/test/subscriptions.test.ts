import { expect, test } from "vitest";
import { connect, resume, TestClient } from "./client.ts";
import { World } from "./world.ts";

test("[MQTT-3.10.4-1] one that ends while its client goes away leaves others theirs", async () => {
  const world = await World.start();
  const stays = await connect(world, "stays");
  await stays.subscribe("t", { qos: 1 });
  const goes = await resume(world, "goes");
  await goes.subscribe("t", { qos: 1 });
  const release = world.holdLog();
  goes.send({ cmd: "unsubscribe", messageId: 9, unsubscriptions: ["t"] });
  await world.settle();
  goes.transport.drop();
  await world.settle();
  release();
  await world.pass(1000);
  const publisher = await connect(world, "publisher");
  publisher.publish("t", "x", { qos: 1 });
  await world.settle();
  expect(stays.payloads()).toEqual(["x"]);
});

test("a session that is gone before its CONNACK leaves others their interests, and is free", async () => {
  const world = await World.start();
  const stays = await connect(world, "stays");
  await stays.subscribe("t", { qos: 0 });
  const goes = await resume(world, "goes");
  await goes.subscribe("t", { qos: 1 });
  goes.send({ cmd: "disconnect" });
  await world.settle();
  for (let turns = 0; turns < 12; turns++) {
    goes.open({ clean: false, properties: { sessionExpiryInterval: 100 } });
    await world.settle(turns);
    goes.transport.drop();
    await world.settle();
  }
  const publisher = await connect(world, "publisher");
  publisher.publish("t", "x");
  await world.settle();
  expect(stays.payloads()).toEqual(["x"]);
  goes.packets.length = 0;
  expect((await goes.resume()).sessionPresent).toBe(true);
});

test("a session whose client went away before CONNACK is given back, though the log fails at first", async () => {
  const world = await World.start();
  const client = await resume(world, "c");
  client.send({ cmd: "disconnect" });
  await world.settle();
  const release = world.holdLog();
  client.open({ clean: false, properties: { sessionExpiryInterval: 100 } });
  await world.settle();
  client.transport.drop();
  await world.settle();
  release();
  await world.pass(2000);
  client.packets.length = 0;
  expect((await client.resume()).reasonCode).toBe(0);
});

test("[MQTT-3.3.4-2] [MQTT-3.3.4-3] overlapping ones bring a message once, with the highest QoS and all identifiers", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  for (const client of [await resume(world, "durable"), await connect(world, "transient")]) {
    await client.subscribe("a/b", { qos: 1, id: 1 });
    await client.subscribe("a/+", { qos: 2, id: 2 });
    await client.subscribe("#", { qos: 0, id: 3 });
    publisher.publish("a/b", "x", { qos: 2 });
    await world.settle();
    const [packet, ...more] = client.takeAll("publish");
    expect(more).toEqual([]);
    expect(packet?.qos).toBe(2);
    const ids = [packet?.properties?.subscriptionIdentifier].flat();
    expect(new Set(ids)).toEqual(new Set([1, 2, 3]));
  }
});

test("[MQTT-3.8.3-3] No Local keeps back a client's own messages, but not where another subscription wants them", async () => {
  const world = await World.start();
  const client = await resume(world, "c");
  await client.subscribe("a/+", { qos: 1, nl: true, id: 1 });
  client.publish("a/x", "own", { qos: 1 });
  await world.settle();
  expect(client.payloads()).toEqual([]);
  await client.subscribe("a/x", { qos: 1, id: 2 });
  client.publish("a/x", "wanted", { qos: 1 });
  await world.settle();
  const [packet] = client.takeAll("publish");
  expect(packet?.payload.toString()).toBe("wanted");
  expect(packet?.properties?.subscriptionIdentifier).toBe(2);
});

test("[MQTT-3.3.1-12] [MQTT-3.3.1-13] RETAIN as published only where that was asked for", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const client = await connect(world, "c");
  await client.subscribe("rap", { rap: true });
  await client.subscribe("plain", {});
  publisher.publish("rap", "x", { retain: true });
  publisher.publish("plain", "x", { retain: true });
  await world.settle();
  const flags = client.takeAll("publish").map(({ topic, retain }) => [topic, retain]);
  expect(Object.fromEntries(flags)).toEqual({ rap: true, plain: false });
});

test("[MQTT-3.8.4-4] a subscription at QoS 0 that becomes one with a queue loses nothing meanwhile", async () => {
  const world = await World.start();
  const other = await resume(world, "other");
  await other.subscribe("t", { qos: 1 });
  const client = await resume(world, "c");
  await client.subscribe("t", { qos: 0 });
  const publisher = await connect(world, "publisher");
  const release = world.holdLog();
  client.send({ cmd: "subscribe", messageId: 7, subscriptions: [{ topic: "t", qos: 1 }] });
  await world.settle();
  publisher.publish("t", "meanwhile", { qos: 1 });
  await world.settle();
  release();
  await world.settle();
  publisher.publish("t", "after", { qos: 1 });
  await world.settle();
  expect(client.take("suback").granted).toEqual([1]);
  expect(
    client.takeAll("publish").map(({ payload, qos }) => `${payload.toString()} ${qos}`),
  ).toEqual(["meanwhile 0", "after 1"]);
});

test("no more of them than are allowed, also when they are asked for at once", async () => {
  const world = await World.start({ settings: { maxSubscriptionsPerSession: 3 } });
  const client = await resume(world, "c");
  for (let i = 0; i < 5; i++) {
    client.send({
      cmd: "subscribe",
      messageId: i + 1,
      subscriptions: [{ topic: `t/${i}`, qos: 0 }],
    });
  }
  await world.settle();
  const codes = client.takeAll("suback").flatMap(({ granted }) => granted);
  expect(codes).toEqual([0, 0, 0, 0x97, 0x97]);
});

test("a client that floods the broker with SUBSCRIBEs is not read from until they are done", async () => {
  const world = await World.start();
  const client = await resume(world, "c");
  const release = world.holdLog();
  for (let i = 0; i < 200; i++) {
    client.send({ cmd: "subscribe", messageId: i + 1, subscriptions: [{ topic: "t", qos: 1 }] });
  }
  await world.settle();
  expect(client.transport.isPaused).toBe(true);
  release();
  await world.settle(3000);
  expect(client.transport.isPaused).toBe(false);
  expect(client.takeAll("suback").length).toBe(200);
});

test("[MQTT-3.8.4-6] a SUBSCRIBE that can't be stored leaves what there was as it was", async () => {
  const world = await World.start();
  const other = await resume(world, "other");
  await other.subscribe("t", { qos: 1 });
  const client = await resume(world, "c");
  await client.subscribe("t", { qos: 0 });
  world.logDisk.broken = true;
  // The first one that is written finds out.
  other.send({ cmd: "subscribe", messageId: 50, subscriptions: [{ topic: "late", qos: 1 }] });
  await world.settle(300);
  client.send({ cmd: "subscribe", messageId: 50, subscriptions: [{ topic: "t", qos: 1 }] });
  client.send({ cmd: "subscribe", messageId: 51, subscriptions: [{ topic: "new", qos: 0 }] });
  await world.settle(300);
  expect(client.takeAll("suback").map(({ granted }) => granted)).toEqual([[0x80], [0x80]]);
  world.logDisk.broken = false;
  await world.pass(3000);
  expect(other.take("suback").granted).toEqual([1]);
  const publisher = await connect(world, "publisher");
  publisher.publish("t", "still at QoS 0", { qos: 1 });
  publisher.publish("new", "for nobody", { qos: 1 });
  await world.settle();
  expect(client.takeAll("publish")).toMatchObject([{ topic: "t", qos: 0 }]);
});

test("a SUBSCRIBE or UNSUBSCRIBE that may be stored later has no answer: the connection ends", async () => {
  const world = await World.start();
  const [subscriber, unsubscriber] = [await resume(world, "s"), await resume(world, "u")];
  await unsubscriber.subscribe("t", { qos: 1 });
  const release = world.holdLog();
  subscriber.send({ cmd: "subscribe", messageId: 50, subscriptions: [{ topic: "t", qos: 1 }] });
  unsubscriber.send({ cmd: "unsubscribe", messageId: 51, unsubscriptions: ["t"] });
  await world.settle(300);
  world.logDisk.broken = true;
  release();
  await world.settle(300);
  await world.pass(3500);
  for (const client of [subscriber, unsubscriber]) {
    expect(client.takeAll("suback")).toEqual([]);
    expect(client.takeAll("unsuback")).toEqual([]);
    expect(client.take("disconnect").reasonCode).toBe(0x89);
    expect(client.isClosed).toBe(true);
  }
  world.logDisk.broken = false;
  await world.pass(5000);
  const publisher = await connect(world, "publisher");
  publisher.publish("t", "stored", { qos: 1 });
  await world.settle();
  // Both were stored in the end.
  const [again, gone] = [await resume(world, "s"), await resume(world, "u")];
  await world.settle();
  expect(again.takeAll("publish").map(({ payload }) => String(payload))).toEqual(["stored"]);
  expect(gone.takeAll("publish")).toEqual([]);
});

test("an open that is stored after it was refused leaves the session to whoever comes next", async () => {
  const world = await World.start();
  world.logDisk.broken = true;
  const refused = new TestClient(world, "c");
  refused.open({ clean: false, properties: { sessionExpiryInterval: 3600 } });
  await world.settle(300);
  await world.pass(3500);
  expect(refused.take("connack").reasonCode).toBe(0x88);
  world.logDisk.broken = false;
  await world.pass(6000);
  expect(world.sessions.counts).toMatchObject({ sessions: 1, connected: 0 });
  await resume(world, "c");
  expect(world.sessions.counts).toMatchObject({ sessions: 1, connected: 1 });
});
