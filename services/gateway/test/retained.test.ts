import type { ISubscribePacket } from "mqtt-packet";
import { describe, expect, test, vi } from "vitest";
import { connect, TestClient } from "./client.ts";
import { World } from "./world.ts";

async function retain(world: World, count: number, qos: 0 | 1 | 2): Promise<TestClient> {
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

/** Packet identifiers of QoS 2 that the client has; it keeps them as long as its session. */
function exactlyOnce(client: TestClient, until: (count: number) => boolean): string[] {
  const taken: string[] = [];
  const known = new Set<number>();
  client.onPacket = (packet) => {
    if (packet.cmd !== "publish" && packet.cmd !== "pubrel") return false;
    const { messageId = 0 } = packet;
    if (packet.cmd === "pubrel") {
      known.delete(messageId);
      client.send({ cmd: "pubcomp", messageId });
      return true;
    }
    if (!known.has(messageId)) taken.push(packet.payload.toString());
    known.add(messageId);
    if (until(taken.length)) client.transport.drop();
    else client.send({ cmd: "pubrec", messageId });
    return true;
  };
  return taken;
}

describe("a durable session that breaks off while it is sent retained values", () => {
  test("[MQTT-4.4.0-1] has each once at QoS 2", async () => {
    const world = await World.start();
    await retain(world, 300, 2);
    const client = new TestClient(world, "c");
    const breaks = [7, 150, 151, 290];
    const taken = exactlyOnce(client, (count) => {
      if (count !== breaks[0]) return false;
      breaks.shift();
      return true;
    });
    const fields = { properties: { receiveMaximum: 10 } };
    await client.resume(fields);
    client.send(subscribeTo("r/#", 2));
    await waitUntil(world, () => client.isClosed);
    while (breaks.length > 0) {
      await client.resume(fields);
      await waitUntil(world, () => client.isClosed);
    }
    await client.resume(fields);
    await waitUntil(world, () => taken.length >= 300);
    await world.settle(500);
    expect(taken.length).toBe(300);
    expect(new Set(taken).size).toBe(300);
    await client.resume(fields);
    await world.settle(500);
    expect(taken.length).toBe(300);
  });

  test("[MQTT-3.3.1-1] [MQTT-4.4.0-1] has those at QoS 1 again that it has not acknowledged, no others", async () => {
    const world = await World.start();
    await retain(world, 50, 1);
    const client = new TestClient(world, "c");
    client.acknowledge = false;
    const fields = { properties: { receiveMaximum: 3 } };
    await client.resume(fields);
    await client.subscribe("r/#", { qos: 1, id: 7 });
    await world.settle();
    const [first, ...others] = client.takeAll("publish");
    client.send({ cmd: "puback", messageId: first!.messageId! });
    await world.settle();
    const inFlight = [...others, ...client.takeAll("publish")];
    expect(inFlight.length).toBe(3);
    client.transport.drop();
    await world.settle();
    await client.resume(fields);
    await world.settle();
    const again = client.takeAll("publish");
    expect(again.map(({ dup }) => dup)).toEqual([true, true, true]);
    const key = ({ messageId, topic, retain: isRetained, properties }: (typeof again)[number]) => ({
      messageId,
      topic,
      isRetained,
      id: properties?.subscriptionIdentifier,
    });
    expect(again.map(key)).toEqual(inFlight.map(key));
    client.acknowledge = true;
    for (const { messageId } of again) client.send({ cmd: "puback", messageId: messageId! });
    await world.settle(800);
    const rest = client.takeAll("publish");
    expect(rest.every(({ dup }) => !dup)).toBe(true);
    const topics = [first!, ...again, ...rest].map(({ topic }) => topic);
    expect(topics.length).toBe(50);
    expect(new Set(topics).size).toBe(50);
  });

  test("is not sent again what it was sent at QoS 0", async () => {
    const world = await World.start();
    await retain(world, 250, 0);
    const client = new TestClient(world, "c");
    const taken: string[] = [];
    client.onPacket = (packet) => {
      if (packet.cmd !== "publish") return false;
      taken.push(packet.topic);
      if (taken.length === 100) client.transport.drop();
      return true;
    };
    await client.resume();
    client.send(subscribeTo("r/#", 1));
    await waitUntil(world, () => client.isClosed);
    await client.resume();
    await world.settle(500);
    expect(taken.length).toBe(250);
    expect(new Set(taken).size).toBe(250);
  });

  test("is not sent values in flight that have changed; at QoS 2 their identifiers are completed", async () => {
    const world = await World.start();
    const publisher = await retain(world, 4, 2);
    for (const qos of [1, 2] as const) {
      const client = new TestClient(world, `c${qos}`);
      client.acknowledge = false;
      await client.resume();
      await client.subscribe("r/#", { qos });
      const sent = client.takeAll("publish");
      expect(sent.length).toBe(4);
      client.transport.drop();
      await world.settle();
      publisher.publish("r/1", `new ${qos}`, { qos: 2, retain: true });
      publisher.publish("r/2", "", { qos: 2, retain: true });
      await world.settle();
      await client.resume();
      await world.settle();
      const ids = (topics: readonly string[]) =>
        sent.filter(({ topic }) => topics.includes(topic)).map(({ messageId }) => messageId);
      const again = client.takeAll("publish");
      expect(again.filter(({ dup }) => dup).map(({ topic }) => topic)).toEqual(
        sent.map(({ topic }) => topic).filter((topic) => topic !== "r/1" && topic !== "r/2"),
      );
      // as messages that were published while it was away
      expect(again.filter(({ dup }) => !dup).map(({ payload }) => payload.toString())).toEqual(
        expect.arrayContaining([`new ${qos}`, ""]),
      );
      const completed = client.takeAll("pubrel").map(({ messageId }) => messageId);
      expect(new Set(completed)).toEqual(new Set(qos === 1 ? [] : ids(["r/1", "r/2"])));
      publisher.publish("r/2", "2", { qos: 2, retain: true });
      await world.settle();
    }
  });

  test("[MQTT-3.8.4-4] has them all again when it subscribes again", async () => {
    const world = await World.start();
    await retain(world, 30, 1);
    const client = new TestClient(world, "c");
    client.acknowledge = false;
    await client.resume({ properties: { receiveMaximum: 20 } });
    await client.subscribe("r/#", { qos: 1 });
    expect(client.payloads().length).toBe(20);
    client.transport.drop();
    await world.settle();
    client.acknowledge = true;
    await client.resume();
    await world.settle(500);
    expect(client.payloads().length).toBe(30);
    await client.subscribe("r/#", { qos: 1 });
    await world.settle(500);
    expect(client.payloads().length).toBe(30);
  });

  test("one that is made again without retained values still has those of the first time", async () => {
    const world = await World.start();
    await retain(world, 30, 1);
    const client = new TestClient(world, "c");
    client.acknowledge = false;
    await client.resume({ properties: { receiveMaximum: 5 } });
    await client.subscribe("r/#", { qos: 1 });
    await client.subscribe("r/#", { qos: 1, rh: 1 });
    await world.pass(500);
    client.transport.drop();
    await world.settle();
    client.acknowledge = true;
    client.payloads();
    await client.resume();
    await world.settle(500);
    expect(new Set(client.payloads()).size).toBe(30);
  });
});

test("of a durable session wait for the disk, and none comes then behind a newer value", async () => {
  const world = await World.start();
  const publisher = await retain(world, 3, 1);
  const client = new TestClient(world, "c");
  await client.resume();
  const { sessions } = world.sessions;
  const commit = sessions.deliveries.bind(sessions);
  const held = Promise.withResolvers<void>();
  vi.spyOn(sessions, "deliveries").mockImplementation(async (batch) => {
    await held.promise;
    await commit(batch);
  });
  await client.subscribe("r/#", { qos: 1 });
  expect(client.payloads()).toEqual([]);
  publisher.publish("r/1", "newer", { qos: 1, retain: true });
  await world.settle();
  expect(client.payloads()).toEqual(["newer"]);
  held.resolve();
  await world.settle(200);
  expect(client.payloads().toSorted()).toEqual(["0", "2"]);
});

function subscribeTo(topic: string, qos: 0 | 1 | 2): ISubscribePacket {
  return { cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos }] };
}

async function waitUntil(world: World, isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !isSo(); i++) await world.settle(1);
  if (!isSo()) throw new Error("it does not come to that");
  await world.settle();
}
