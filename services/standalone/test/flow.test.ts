import { readFileSync } from "node:fs";
import { Ledger, RawClient, startBroker, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { acknowledge, fresh, packet, publish, utf8 } from "./support.ts";
import { inCluster, sharedTarget, startTarget } from "./target.ts";

const broker = sharedTarget();

describe("Receive Maximum", () => {
  test("[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] not more than the client's is in flight", async () => {
    for (const sessionExpiryInterval of [0, 600]) {
      const topic = fresh();
      const client = await RawClient.connected(broker.tcp, {
        clientId: fresh(),
        properties: { receiveMaximum: 3, sessionExpiryInterval },
      });
      await client.subscribe(topic, { qos: 2 });
      for (let i = 0; i < 6; i++) await publish(broker.tcp, topic, `${i}`, { qos: i % 2 ? 1 : 2 });
      const inFlight = [];
      for (let i = 0; i < 3; i++)
        inFlight.push(await client.expect("publish", { payload: `${i}` }));
      // [MQTT-3.3.4-10] [MQTT-4.9.0-3]
      await client.expectQuiet();
      await client.subscribe(fresh());
      // QoS 0 does not count
      await publish(broker.tcp, topic, "zero", { qos: 0 });
      await client.expect("publish", { payload: "zero", qos: 0 });
      const [first, second] = inFlight;
      // PUBREC is not the end of it, PUBCOMP is
      acknowledge(client, "pubrec", first?.messageId);
      await client.expect("pubrel", { messageId: first?.messageId });
      await client.expectQuiet();
      acknowledge(client, "pubcomp", first?.messageId);
      await client.expect("publish", { payload: "3" });
      acknowledge(client, "puback", second?.messageId);
      await client.expect("publish", { payload: "4" });
      await client.expectQuiet();
    }
  });

  test.skipIf(inCluster("a limit of one gateway"))(
    "[MQTT-3.3.4-7] who sends more than the broker's gets 0x93",
    async () => {
      const strict = await startTarget({ set: { "limits.receiveMaximum": 2 } });
      const client = await RawClient.open(strict.tcp);
      await client.connect({}, { properties: { receiveMaximum: 2 } });
      for (const messageId of [1, 2]) {
        client.sendPublish("t", "x", { qos: 2, messageId });
        await client.expect("pubrec", { messageId });
      }
      // [MQTT-3.3.4-8]
      client.sendPublish("t", "x");
      await client.expectQuiet();
      client.sendPublish("t", "x", { qos: 2, messageId: 3 });
      await client.expect("disconnect", { reasonCode: 0x93 });
      await client.expectClosed();
    },
  );

  test.skipIf(inCluster("a limit of one gateway"))(
    "for v3 clients the same bound slows down",
    async () => {
      const strict = await startTarget({ set: { "limits.receiveMaximum": 2 } });
      const client = await RawClient.connected(strict.tcp, { version: 4 });
      for (let i = 1; i <= 50; i++) client.sendPublish("t", "x", { qos: 1, messageId: i });
      for (let i = 1; i <= 50; i++) await client.expect("puback", { messageId: i });
    },
  );
});

describe("Maximum Packet Size", () => {
  test("[MQTT-3.1.2-24] [MQTT-3.1.2-25] what is too large for the client counts as delivered", async () => {
    for (const sessionExpiryInterval of [0, 600]) {
      const topic = fresh();
      const client = await RawClient.connected(broker.tcp, {
        clientId: fresh(),
        properties: { maximumPacketSize: 100, receiveMaximum: 1, sessionExpiryInterval },
      });
      client.acknowledge = true;
      await client.subscribe(topic, { qos: 2 });
      for (const qos of [0, 1, 2] as const) {
        await publish(broker.tcp, topic, "x".repeat(100), { qos });
        await publish(broker.tcp, topic, "small", { qos });
        await client.expect("publish", { payload: "small", qos });
        if (qos === 2) await client.expect("pubrel");
      }
    }
  });

  test("[MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.9.2-1] [MQTT-3.11.2-1] [MQTT-3.14.2-3] [MQTT-3.2.2-19] Reason Strings are left out where they do not fit", async () => {
    const client = await RawClient.connected(broker.tcp, {
      clientId: fresh(),
      properties: { maximumPacketSize: 25 },
    });
    expect(await client.publish("$SYS/a", "x", { qos: 1 })).not.toHaveProperty(
      "properties.reasonString",
    );
    expect(await client.publish("$SYS/a", "x", { qos: 2 })).not.toHaveProperty(
      "properties.reasonString",
    );
    expect(await client.subscribe("#/", {}, [0x8f])).not.toHaveProperty("properties.reasonString");
    expect(await client.unsubscribe("#/")).not.toHaveProperty("properties.reasonString");
    client.sendPublish("a/+", "x");
    const disconnect = await client.expect("disconnect", { reasonCode: 0x90 });
    expect(disconnect).not.toHaveProperty("properties.reasonString");
    const refused = await RawClient.open(broker.tcp);
    const will = { topic: "#", payload: Buffer.from("x"), qos: 0 as const };
    const connack = await refused.connect(
      { properties: { maximumPacketSize: 10 }, will },
      { reasonCode: 0x90 },
    );
    expect(connack).not.toHaveProperty("properties.reasonString");
  });

  test("[MQTT-3.1.2-24] a client that has no room for its CONNACK gets 0x95", async () => {
    const client = await RawClient.open(broker.tcp);
    await client.connect(
      { clientId: fresh(), properties: { maximumPacketSize: 10 } },
      { reasonCode: 0x95 },
    );
    await client.expectClosed();
  });

  test.skipIf(inCluster("a limit of one gateway"))(
    "[MQTT-3.2.2-15] the broker's is told and holds: 0x95",
    async () => {
      const strict = await startTarget({ set: { "limits.maxPacketSize": "2KiB" } });
      const client = await RawClient.open(strict.tcp);
      await client.connect({}, { properties: { maximumPacketSize: 2048 } });
      await client.publish("t", Buffer.alloc(2048 - 9), { qos: 1 });
      client.sendPublish("t", Buffer.alloc(2048), { qos: 1 });
      await client.expect("disconnect", { reasonCode: 0x95 });
      await client.expectClosed();
      const v3 = await RawClient.connected(strict.tcp, { version: 4 });
      v3.sendPublish("t", Buffer.alloc(2048), { qos: 1 });
      await v3.expectClosed();
    },
  );
});

describe("topic aliases", () => {
  test("[MQTT-3.3.2-12] from the client: set, used, set to another topic", async () => {
    const [one, two] = [fresh(), fresh()];
    const subscriber = await RawClient.connected(broker.tcp);
    await subscriber.subscribe([
      { topic: one, qos: 1 },
      { topic: two, qos: 1 },
    ]);
    const client = await RawClient.connected(broker.tcp);
    for (const topicAlias of [1, 32]) {
      const properties = { topicAlias };
      await client.publish(one, "1", { qos: 1, properties });
      await client.publish("", "2", { qos: 1, properties });
      await client.publish(two, "3", { qos: 1, properties });
      client.sendPublish("", "4", { properties });
      await client.publish(one, "5", { qos: 1 });
      for (const [topic, payload] of [
        [one, "1"],
        [one, "2"],
        [two, "3"],
        [two, "4"],
        [one, "5"],
      ]) {
        const got = await subscriber.find("publish", { topic, payload });
        // the alias is between the client and the broker only [MQTT-3.1.2-27]
        expect(got.properties?.topicAlias).toBeUndefined();
      }
    }
  });

  test("[MQTT-3.3.2-7] an alias is forgotten with its connection", async () => {
    const fields = { clientId: fresh(), clean: false, properties: { sessionExpiryInterval: 600 } };
    const first = await RawClient.connected(broker.tcp, fields);
    await first.publish(fresh(), "x", { qos: 1, properties: { topicAlias: 3 } });
    await first.disconnect();
    const second = await RawClient.connected(broker.tcp, fields);
    second.sendPublish("", "x", { properties: { topicAlias: 3 } });
    await second.expect("disconnect", { reasonCode: 0x82 });
  });

  test("[MQTT-3.1.2-26] [MQTT-3.3.2-11] to the client: within its Topic Alias Maximum", async () => {
    const base = fresh();
    const client = await RawClient.connected(broker.tcp, { properties: { topicAliasMaximum: 2 } });
    await client.subscribe(`${base}/#`, { qos: 1 });
    const aliases = new Map<number, string>();
    for (let i = 0; i < 3; i++) {
      for (const name of ["a", "b", "c"]) {
        await publish(broker.tcp, `${base}/${name}`, name);
        const { topic, properties } = await client.expect("publish", { payload: name });
        const alias = properties?.topicAlias;
        if (alias !== undefined && topic !== "") aliases.set(alias, topic);
        expect(topic || aliases.get(alias ?? 0)).toBe(`${base}/${name}`);
        expect(alias ?? 0).toBeLessThanOrEqual(2);
      }
    }
    expect(aliases.size).toBe(2);
  });

  test("[MQTT-3.1.2-27] without one the broker uses none", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(topic);
    for (let i = 0; i < 3; i++) {
      await publish(broker.tcp, topic, "x");
      const { properties } = await client.expect("publish", { topic });
      expect(properties?.topicAlias).toBeUndefined();
    }
  });

  test.skipIf(inCluster("a limit of one gateway"))(
    "[MQTT-3.2.2-18] none may be used where the broker allows none",
    async () => {
      const strict = await startTarget({ set: { "limits.topicAliasMaximum": 0 } });
      const client = await RawClient.open(strict.tcp);
      const { properties } = await client.connect();
      expect(properties?.topicAliasMaximum ?? 0).toBe(0);
      client.sendPublish("t", "x", { properties: { topicAlias: 1 } });
      await client.expect("disconnect", { reasonCode: 0x94 });
    },
  );
});

describe("a subscriber that does not read", () => {
  const limits = {
    "limits.transientQueueMessages": 500,
    "limits.connectionOutputBytes": "512KiB",
  };

  function residentBytes(pid: number): number {
    const [, pages] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
    return Number(pages) * 4096;
  }

  test.skipIf(inCluster("it looks at the memory of one process"))(
    "QoS 0 for it is dropped; others get everything, and memory is bounded",
    async () => {
      const own = await startBroker({ set: { ...limits, "sys.interval": "200ms" } });
      const [deaf, alert, observer] = [
        await RawClient.connected(own.tcp),
        await RawClient.connected(own.tcp),
        await RawClient.connected(own.tcp),
      ] as const;
      await deaf.subscribe("flood");
      deaf.transport.pause();
      await alert.subscribe("flood");
      await observer.subscribe("$SYS/broker/publish/messages/dropped");
      const publisher = await RawClient.connected(own.tcp);
      const flood = async (rounds: number) => {
        for (let round = 0; round < rounds; round++) {
          for (let i = 0; i < 200; i++) publisher.sendPublish("flood", Buffer.alloc(20_000));
          for (let i = 0; i < 200; i++) await alert.expect("publish");
        }
      };
      await flood(10);
      const before = residentBytes(own.pid);
      // 160 MB, of which the deaf one may hold half a megabyte beside the kernel's buffers
      await flood(40);
      expect(residentBytes(own.pid) - before).toBeLessThan(80 * 2 ** 20);
      await waitFor(() =>
        observer.waiting.some((got) => got.cmd === "publish" && Number(got.payload) > 0),
      );
      deaf.transport.resume();
      await deaf.expect("publish");
      deaf.send({ cmd: "pingreq" });
      await deaf.find("pingresp");
    },
  );

  test("a transient one at QoS 1 is disconnected, 0x97; others go on", async () => {
    const own = await startTarget({ set: limits });
    const topic = fresh();
    const client = await RawClient.connected(own.tcp, { properties: { receiveMaximum: 1 } });
    await client.subscribe(topic, { qos: 1 });
    const publisher = await RawClient.connected(own.tcp);
    const other = await RawClient.connected(own.tcp);
    other.acknowledge = true;
    await other.subscribe(topic, { qos: 1 });
    for (let i = 0; i < 600; i++) {
      await publisher.publish(topic, `${i}`, { qos: 1 });
      await other.expect("publish", { payload: `${i}` });
    }
    await client.expect("publish", { payload: "0" });
    await client.expect("disconnect", { reasonCode: 0x97 });
    await client.expectClosed();
  });

  test.skipIf(inCluster("it looks at the memory of one process"))(
    "a durable one leaves its backlog in the store, and gets it when it reads again",
    async () => {
      const own = await startBroker({ set: { ...limits, "store.cacheBytes": "1MiB" } });
      const topic = fresh();
      const ledger = new Ledger();
      const client = await RawClient.connected(own.tcp, {
        clientId: fresh(),
        properties: { sessionExpiryInterval: 600 },
      });
      client.acknowledge = true;
      await client.subscribe(topic, { qos: 1 });
      ledger.subscribe("slow");
      client.transport.pause();
      const publisher = await RawClient.connected(own.tcp);
      const flood = async (rounds: number) => {
        for (let round = 0; round < rounds; round++) {
          const sent: [number, Buffer][] = [];
          for (let i = 0; i < 100; i++) {
            const payload = ledger.publish("p", 40_000);
            sent.push([publisher.sendPublish(topic, payload, { qos: 1 }), payload]);
          }
          for (const [messageId, payload] of sent) {
            await publisher.expect("puback", { messageId, reasonCode: 0 });
            ledger.acknowledge(payload);
          }
        }
      };
      await flood(20);
      const before = residentBytes(own.pid);
      await flood(40); // 160 MB
      expect(residentBytes(own.pid) - before).toBeLessThan(80 * 2 ** 20);
      client.transport.resume();
      for (let i = 0; i < 6000; i++) {
        ledger.receive("slow", (await client.expect("publish")).payload as Buffer);
      }
      expect(ledger.report()).toMatchObject({
        lost: [],
        duplicated: [],
        outOfOrder: [],
        unexpected: [],
      });
    },
  );
});

test("a publisher that sends half a packet does not disturb others", async () => {
  const topic = fresh();
  const slow = await RawClient.connected(broker.tcp);
  const bytes = packet(0x32, utf8(topic), [0, 1, 0], Buffer.from("slow"));
  slow.sendBytes(bytes.subarray(0, 5));
  const client = await RawClient.connected(broker.tcp);
  await client.subscribe(topic);
  await publish(broker.tcp, topic, "quick");
  await client.expect("publish", { payload: "quick" });
  for (const byte of bytes.subarray(5)) slow.sendBytes(Buffer.from([byte]));
  await client.expect("publish", { payload: "slow" });
});

test("queues of durable sessions have limits; the oldest messages go, and that is counted", async () => {
  const own = await startTarget({
    set: { "limits.maxQueuedMessages": 20, "sys.interval": "200ms" },
  });
  const topic = fresh();
  const fields = { clientId: fresh(), clean: false, properties: { sessionExpiryInterval: 600 } };
  const first = await RawClient.connected(own.tcp, fields);
  await first.subscribe(topic, { qos: 1 });
  await first.disconnect();
  const observer = await RawClient.connected(own.tcp);
  await observer.subscribe("$SYS/broker/publish/messages/dropped");
  const publisher = await RawClient.connected(own.tcp);
  for (let i = 0; i < 100; i++) await publisher.publish(topic, `${i}`, { qos: 1 });
  await waitFor(() =>
    observer.waiting.some((got) => got.cmd === "publish" && Number(got.payload) === 80),
  );
  const second = await RawClient.connected(own.tcp, fields);
  second.acknowledge = true;
  for (let i = 80; i < 100; i++) await second.expect("publish", { payload: `${i}` });
});
