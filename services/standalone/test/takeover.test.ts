import { mqttJs, RawClient, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { acknowledge, fresh, publish } from "./support.ts";
import { sharedTarget } from "./target.ts";

const broker = sharedTarget();
const lasting = { sessionExpiryInterval: 600 };

test("[MQTT-3.1.4-3] the older connection gets 0x8E and is closed", async () => {
  const clientId = fresh();
  const first = await RawClient.connected(broker.tcp, { clientId });
  const second = await RawClient.connected(broker.tcp, { clientId });
  await first.expect("disconnect", { reasonCode: 0x8e });
  await first.expectClosed();
  await second.expectQuiet();
});

test("[MQTT-3.1.4-3] between versions and transports", async () => {
  const clientId = fresh();
  const v3 = await RawClient.connected(broker.tcp, { version: 4, clientId });
  const ws = await RawClient.connected(broker.ws, { clientId });
  await v3.expectClosed();
  const v31 = await RawClient.connected(broker.tcp, { version: 3, clientId });
  await ws.expect("disconnect", { reasonCode: 0x8e });
  await ws.expectClosed();
  await v31.expectQuiet();
});

test("MQTT.js learns why", async () => {
  const clientId = fresh();
  const first = await mqttJs(broker.url, { clientId });
  const reason = new Promise<number | undefined>((resolve) => {
    first.on("disconnect", ({ reasonCode }) => resolve(reasonCode));
  });
  await mqttJs(broker.url, { clientId });
  expect(await reason).toBe(0x8e);
});

test("the session moves with everything that is in it", async () => {
  const [clientId, topic] = [fresh(), fresh()];
  const fields = { clientId, clean: false, properties: lasting };
  const first = await RawClient.connected(broker.tcp, fields);
  await first.subscribe(topic, { qos: 2 });
  await publish(broker.tcp, topic, "one", { qos: 1 });
  await publish(broker.tcp, topic, "two", { qos: 2 });
  const one = await first.expect("publish", { payload: "one" });
  const two = await first.expect("publish", { payload: "two" });
  first.sendPublish(fresh(), "mine", { qos: 2, messageId: 40 });
  await first.expect("pubrec", { messageId: 40 });
  const second = await RawClient.open(broker.tcp);
  await second.connect(fields, { sessionPresent: true });
  await first.expect("disconnect", { reasonCode: 0x8e });
  await second.expect("publish", { payload: "one", dup: true, messageId: one.messageId });
  await second.expect("publish", { payload: "two", dup: true, messageId: two.messageId });
  acknowledge(second, "pubrel", 40);
  await second.expect("pubcomp", { messageId: 40, reasonCode: 0 });
});

test("a subscription of the old connection gets nothing any more", async () => {
  const [clientId, topic] = [fresh(), fresh()];
  const first = await RawClient.connected(broker.tcp, { clientId });
  await first.subscribe(topic, { qos: 1 });
  const second = await RawClient.connected(broker.tcp, { clientId });
  await first.expect("disconnect", { reasonCode: 0x8e });
  const publisher = await RawClient.connected(broker.tcp);
  const puback = await publisher.publish(topic, "x", { qos: 1 });
  expect(puback?.reasonCode).toBe(0x10);
  await second.expectQuiet();
});

test.each([0, 600])(
  "[MQTT-3.1.4-3] of many connections at once exactly one stays (session of %i s)",
  async (sessionExpiryInterval) => {
    const clientId = fresh();
    const count = 30;
    const clients = await Promise.all(
      Array.from({ length: count }, () => RawClient.open(broker.tcp)),
    );
    for (const client of clients) {
      client.sendConnect({ clientId, clean: false, properties: { sessionExpiryInterval } });
    }
    await waitFor(() => clients.filter(({ isClosed }) => isClosed).length === count - 1);
    const [survivor] = clients.filter(({ isClosed }) => !isClosed) as [RawClient];
    await survivor.find("connack", { reasonCode: 0 });
    await survivor.expectQuiet();
    for (const client of clients) {
      if (client === survivor) continue;
      const { reasonCode } = await client.find("connack");
      // who was accepted is told 0x8E; who was not gets a code that CONNACK has [MQTT-3.2.2-8]
      expect(reasonCode).toBeOneOf([0, 0x88]);
      if (reasonCode === 0) await client.expect("disconnect", { reasonCode: 0x8e });
      await client.expectClosed();
    }
  },
);

test("one that is taken over while it publishes: what was acknowledged arrives, once at QoS 2", async () => {
  const [clientId, topic] = [fresh(), fresh()];
  const subscriber = await RawClient.connected(broker.tcp, {
    clientId: fresh(),
    properties: lasting,
  });
  subscriber.acknowledge = true;
  await subscriber.subscribe(topic, { qos: 2 });
  const fields = { clientId, clean: false, properties: lasting };
  let next = 0;
  const unacknowledged = new Map<number, string>();
  for (let round = 0; round < 5; round++) {
    const client = await RawClient.connected(broker.tcp, fields);
    // what the last connection left is sent again, under its identifiers
    for (const [messageId, text] of unacknowledged) {
      client.sendPublish(topic, text, { qos: 2, messageId, dup: true });
    }
    for (let i = 0; i < 50; i++) {
      const messageId = 1000 + next;
      unacknowledged.set(messageId, `${next}`);
      client.sendPublish(topic, `${next++}`, { qos: 2, messageId });
    }
    if (round < 4) {
      await client.find("pubrec");
      const taker = await RawClient.connected(broker.tcp, fields);
      await client.closed;
      await taker.disconnect();
      continue;
    }
    for (const messageId of unacknowledged.keys()) {
      await client.find("pubrec", { messageId });
      acknowledge(client, "pubrel", messageId);
      await client.find("pubcomp", { messageId });
    }
  }
  const texts = () =>
    subscriber.waiting.flatMap((got) => (got.cmd === "publish" ? [String(got.payload)] : []));
  await waitFor(() => new Set(texts()).size === next);
  expect(texts()).toHaveLength(next);
});
