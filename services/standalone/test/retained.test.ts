import { mosquittoPub, mosquittoSub, RawClient, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { acknowledge, fresh, publish, retainedUnder, secondPassed } from "./support.ts";
import { sharedTarget, startTarget } from "./target.ts";

const broker = sharedTarget();
const lasting = { sessionExpiryInterval: 600 };

test("[MQTT-3.3.1-5] a retained message is stored with its QoS and properties, and replaces the last", async () => {
  const topic = fresh();
  const properties = { contentType: "x", userProperties: { a: "b" } };
  await publish(broker.tcp, topic, "one", { retain: true, qos: 1 });
  await publish(broker.tcp, topic, "two", { retain: true, qos: 2, properties });
  for (const qos of [0, 1, 2] as const) {
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(topic, { qos, properties: { subscriptionIdentifier: 4 } });
    await client.expect("publish", {
      topic,
      payload: "two",
      qos,
      retain: true,
      dup: false,
      properties: { ...properties, subscriptionIdentifier: 4 },
    });
  }
});

test("[MQTT-3.3.1-5] also at QoS 0", async () => {
  const topic = fresh();
  await publish(broker.tcp, topic, "zero", { retain: true, qos: 0 });
  const client = await RawClient.connected(broker.tcp);
  await waitFor(async () => {
    await client.subscribe(topic, { qos: 2 });
    await client.subscribe(fresh());
    return client.waiting.length > 0;
  });
  await client.expect("publish", { payload: "zero", qos: 0, retain: true });
});

test("[MQTT-3.3.1-6] [MQTT-3.3.1-7] an empty payload removes it, and is delivered as it is", async () => {
  const base = fresh();
  await publish(broker.tcp, `${base}/a`, "kept", { retain: true });
  await publish(broker.tcp, `${base}/b`, "kept", { retain: true });
  const client = await RawClient.connected(broker.tcp);
  await client.subscribe(`${base}/a`, { rh: 2, rap: true });
  await publish(broker.tcp, `${base}/a`, "", { retain: true });
  await publish(broker.tcp, `${base}/never`, "", { retain: true });
  await client.expect("publish", { topic: `${base}/a`, payload: "", retain: true });
  const other = await RawClient.connected(broker.tcp);
  expect(await retainedUnder(other, base)).toEqual([`${base}/b`]);
});

test("[MQTT-3.3.1-8] a message without RETAIN leaves the retained one alone", async () => {
  const topic = fresh();
  await publish(broker.tcp, topic, "kept", { retain: true });
  await publish(broker.tcp, topic, "passing");
  await publish(broker.tcp, topic, "");
  const client = await RawClient.connected(broker.tcp);
  await client.subscribe(topic);
  await client.expect("publish", { payload: "kept" });
});

test("[MQTT-3.3.2-5] [MQTT-3.3.2-6] it expires, and what is left of its time comes with it", async () => {
  const base = fresh();
  const expiring = (messageExpiryInterval: number) => ({
    retain: true,
    properties: { messageExpiryInterval },
  });
  await publish(broker.tcp, `${base}/short`, "x", expiring(1));
  await publish(broker.tcp, `${base}/long`, "x", expiring(50));
  await secondPassed();
  const client = await RawClient.connected(broker.tcp);
  expect(await retainedUnder(client, base)).toEqual([`${base}/long`]);
  await client.subscribe(`${base}/long`);
  const { properties } = await client.expect("publish");
  expect(properties?.messageExpiryInterval).toBeLessThan(50);
  expect(properties?.messageExpiryInterval).toBeGreaterThan(30);
});

test("[MQTT-4.7.2-1] wildcards do not find retained messages of $ topics", async () => {
  const level = fresh("$");
  const name = fresh();
  await publish(broker.tcp, `${level}/${name}`, "hidden", { retain: true });
  const client = await RawClient.connected(broker.tcp);
  await client.subscribe(`+/${name}`);
  await client.subscribe(`${level}/#`);
  await client.expect("publish", { topic: `${level}/${name}` });
});

test("overlapping filters of one SUBSCRIBE bring it for each", async () => {
  const topic = fresh();
  await publish(broker.tcp, `${topic}/a`, "kept", { retain: true });
  const client = await RawClient.connected(broker.tcp);
  await client.subscribe([
    { topic: `${topic}/#`, qos: 0 },
    { topic: `${topic}/+`, qos: 1 },
  ]);
  await client.find("publish", { qos: 0, retain: true });
  await client.find("publish", { qos: 1, retain: true });
});

test("No Local keeps the own retained messages away", async () => {
  const base = fresh();
  const client = await RawClient.connected(broker.tcp, { clientId: fresh() });
  await client.publish(`${base}/mine`, "mine", { qos: 1, retain: true });
  await publish(broker.tcp, `${base}/theirs`, "theirs", { retain: true });
  await client.subscribe(`${base}/#`, { nl: true });
  await client.expect("publish", { payload: "theirs" });
  await client.expectQuiet();
});

describe("many", () => {
  const many = 2000;

  async function publishMany(base: string, text: string): Promise<void> {
    const publisher = await RawClient.connected(broker.tcp);
    for (let i = 0; i < many; i++) {
      publisher.sendPublish(`${base}/${i}`, `${text} ${i}`, { qos: 1, retain: true });
      if (i % 500 === 499) {
        for (let k = 0; k < 500; k++) await publisher.expect("puback");
      }
    }
    await publisher.disconnect();
  }

  test.each([0, 600])(
    "[MQTT-3.3.1-9] 2,000 of them to a slow client (session of %i s), all of them, once",
    async (sessionExpiryInterval) => {
      const base = fresh();
      await publishMany(base, "kept");
      const client = await RawClient.connected(broker.tcp, {
        clientId: fresh(),
        properties: { receiveMaximum: 7, sessionExpiryInterval },
      });
      await client.subscribe(`${base}/+`, { qos: 1 });
      const seen = new Set<string>();
      while (seen.size < many) {
        const { topic, messageId = 0, retain } = await client.expect("publish");
        expect(retain).toBe(true);
        expect(seen.has(topic)).toBe(false);
        seen.add(topic);
        expect(client.waiting.length).toBeLessThan(7);
        acknowledge(client, "puback", messageId);
      }
      await client.expectQuiet();
    },
  );

  test("no older value comes after a newer one, while values change", async () => {
    const base = fresh();
    await publishMany(base, "0");
    const client = await RawClient.connected(broker.tcp, { properties: { receiveMaximum: 50 } });
    client.acknowledge = true;
    await client.subscribe(`${base}/+`, { qos: 1 });
    await publishMany(base, "1");
    const values = new Map<string, number>();
    let newest = 0;
    while (newest < many) {
      const { topic, payload } = await client.expect("publish");
      const value = Number(String(payload).split(" ")[0]);
      expect(value).toBeGreaterThanOrEqual(values.get(topic) ?? 0);
      if (value === 1 && values.get(topic) !== 1) newest++;
      values.set(topic, value);
    }
  });

  test.each([1, 2] as const)(
    "a durable session that goes away meanwhile gets the rest at QoS %i",
    async (qos) => {
      const base = fresh();
      await publishMany(base, "kept");
      const clientId = fresh();
      const properties = { ...lasting, receiveMaximum: 20 };
      const fields = { clientId, clean: false, keepalive: 0, properties };
      const connect = async (): Promise<RawClient> => {
        const opened = await RawClient.open(broker.tcp);
        opened.acknowledge = true;
        opened.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: 5, ...fields });
        await opened.find("connack", { reasonCode: 0 });
        return opened;
      };
      let client = await connect();
      await client.subscribe(`${base}/+`, { qos });
      const seen = new Set<string>();
      // what has arrived has been acknowledged, so it counts
      const take = async (count: number): Promise<void> => {
        await waitFor(() => client.waiting.length > count || seenWith(client) === many, {
          what: () => `${many} values; there are ${seenWith(client)}`,
        });
        client.transport.destroy();
        await client.closed;
        for (const got of client.waiting) if (got.cmd === "publish") seen.add(got.topic);
      };
      const seenWith = (now: RawClient): number => {
        const topics = now.waiting.flatMap((got) => (got.cmd === "publish" ? [got.topic] : []));
        return new Set([...seen, ...topics]).size;
      };
      await take(150);
      client = await connect();
      await take(300);
      client = await connect();
      await take(Number.POSITIVE_INFINITY);
      expect(seen.size).toBe(many);
    },
  );
});

test("a durable session that goes away before it has acknowledged them gets them all", async () => {
  const base = fresh();
  for (let i = 0; i < 30; i++) await publish(broker.tcp, `${base}/${i}`, "kept", { retain: true });
  const properties = { ...lasting, receiveMaximum: 5 };
  const fields = { clientId: fresh(), clean: false, properties };
  const first = await RawClient.connected(broker.tcp, fields);
  await first.subscribe(`${base}/+`, { qos: 1 });
  for (let i = 0; i < 5; i++) await first.expect("publish");
  await first.disconnect();
  const second = await RawClient.connected(broker.tcp, fields);
  const seen = new Set<string>();
  while (seen.size < 30) {
    const { topic, messageId = 0 } = await second.expect("publish");
    seen.add(topic);
    acknowledge(second, "puback", messageId);
  }
});

test("there is a limit to their number; what is above it is sent, not kept", async () => {
  const small = await startTarget({ set: { "limits.maxRetainedMessages": 2 } });
  const base = fresh();
  const client = await RawClient.connected(small.tcp);
  await client.subscribe(`${base}/#`);
  for (const name of ["a", "b", "c", "b"]) {
    await publish(small.tcp, `${base}/${name}`, name, { retain: true });
    await client.expect("publish", { payload: name });
  }
  const other = await RawClient.connected(small.tcp);
  await other.subscribe(`${base}/+`);
  const first = await other.expect("publish");
  const second = await other.expect("publish");
  expect([first.topic, second.topic].toSorted()).toEqual([`${base}/a`, `${base}/b`]);
});

test("retained messages outlive a restart", async () => {
  const topic = fresh();
  await publish(broker.tcp, topic, "kept", { retain: true, qos: 2 });
  await broker.restart();
  const client = await RawClient.connected(broker.tcp);
  await client.subscribe(topic, { qos: 2 });
  await client.expect("publish", { payload: "kept", qos: 2, retain: true });
});

test.each(["mqttv5", "311"])("mosquitto_pub -r and mosquitto_sub -V %s", async (version) => {
  const topic = fresh();
  const where = ["-h", broker.tcp.host, "-p", `${broker.tcp.port}`, "-V", version, "-t", topic];
  await mosquittoPub([...where, "-m", "kept", "-r", "-q", "1"]);
  const subscriber = await mosquittoSub([...where, "-q", "1"], { format: "%r %p" });
  expect(await subscriber.waitFor(1)).toEqual(["1 kept"]);
});
