import { mosquittoPub, mosquittoSub, mqttJs, RawClient, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { acknowledge, fresh, packet, publish, secondPassed, utf8 } from "./support.ts";
import { sharedTarget } from "./target.ts";

const broker = sharedTarget();

describe("the answers to a PUBLISH", () => {
  test("[MQTT-4.3.2-4] [MQTT-2.2.1-5] QoS 1 is answered by PUBACK with its packet identifier", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(topic);
    client.sendPublish(topic, "x", { qos: 1, messageId: 65_535 });
    await client.find("puback", { messageId: 65_535, reasonCode: 0 });
  });

  test("[MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT-3.3.4-1] QoS 2 is answered by PUBREC, PUBREL by PUBCOMP", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(topic);
    client.sendPublish(topic, "x", { qos: 2, messageId: 7 });
    await client.find("pubrec", { messageId: 7, reasonCode: 0 });
    await client.find("publish", { payload: "x" });
    acknowledge(client, "pubrel", 7);
    await client.expect("pubcomp", { messageId: 7, reasonCode: 0 });
  });

  test("[MQTT-3.4.2-1] [MQTT-3.5.2-1] 0x10 tells that nobody has subscribed", async () => {
    const client = await RawClient.connected(broker.tcp);
    const one = await client.publish(fresh("nobody"), "x", { qos: 1 });
    const two = await client.publish(fresh("nobody"), "x", { qos: 2 });
    expect([one?.reasonCode, two?.reasonCode]).toEqual([0x10, 0x10]);
  });

  test("[MQTT-3.7.2-1] PUBREL of an unknown packet identifier gets PUBCOMP 0x92", async () => {
    const client = await RawClient.connected(broker.tcp);
    acknowledge(client, "pubrel", 99);
    await client.expect("pubcomp", { messageId: 99, reasonCode: 0x92 });
    const v3 = await RawClient.connected(broker.tcp, { version: 4 });
    acknowledge(v3, "pubrel", 99);
    await v3.expect("pubcomp", { messageId: 99 });
  });

  test("[MQTT-3.6.2-1] PUBREC of an unknown packet identifier gets PUBREL 0x92", async () => {
    const client = await RawClient.connected(broker.tcp);
    acknowledge(client, "pubrec", 99);
    await client.expect("pubrel", { messageId: 99, reasonCode: 0x92 });
  });

  test("[MQTT-4.3.3-10] a repeated QoS 2 PUBLISH is acknowledged again and not delivered again", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    const subscriber = await RawClient.connected(broker.tcp);
    await subscriber.subscribe(topic, { qos: 0 });
    for (const dup of [false, true, true]) {
      client.sendPublish(topic, "once", { qos: 2, messageId: 5, dup });
      await client.expect("pubrec", { messageId: 5, reasonCode: 0 });
    }
    acknowledge(client, "pubrel", 5);
    await client.expect("pubcomp", { messageId: 5 });
    await client.publish(topic, "end", { qos: 1 });
    await subscriber.expect("publish", { payload: "once" });
    await subscriber.expect("publish", { payload: "end" });
  });

  test("[MQTT-4.3.3-12] [MQTT-4.3.2-5] an identifier that is free again names a new message", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    const subscriber = await RawClient.connected(broker.tcp);
    await subscriber.subscribe(topic);
    for (const qos of [1, 1, 2, 2] as const) {
      await client.publish(topic, `${qos}`, { qos, messageId: 3, dup: true });
      await subscriber.expect("publish", { payload: `${qos}` });
    }
  });

  test("[MQTT-4.3.3-9] after an error PUBREC the same identifier names a new message", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(topic);
    client.sendPublish("$SYS/broker/version", "x", { qos: 2, messageId: 4 });
    await client.expect("pubrec", { messageId: 4, reasonCode: 0x87 });
    client.sendPublish(topic, "new", { qos: 2, messageId: 4 });
    await client.find("pubrec", { messageId: 4, reasonCode: 0 });
    await client.find("publish", { payload: "new" });
  });

  test("[MQTT-4.6.0-2] [MQTT-4.6.0-3] acknowledgements come in the order of the messages", async () => {
    const client = await RawClient.connected(broker.tcp);
    const topics = Array.from({ length: 100 }, (_, i) => `${fresh()}/${i}`);
    const durable = await RawClient.connected(broker.tcp, {
      clientId: fresh("d"),
      properties: { sessionExpiryInterval: 60 },
    });
    // every third is stored, the others need no disk
    for (const topic of topics.filter((_, i) => i % 3 === 0))
      await durable.subscribe(topic, { qos: 1 });
    for (const topic of topics) client.sendPublish(topic, "x", { qos: 1 });
    for (const topic of topics) client.sendPublish(topic, "x", { qos: 2 });
    for (let id = 1; id <= 100; id++) await client.expect("puback", { messageId: id });
    for (let id = 101; id <= 200; id++) await client.expect("pubrec", { messageId: id });
  });
});

describe("what is refused", () => {
  test.each([
    ["[MQTT-3.3.1-4] QoS 3", packet(0x36, utf8("t"), [0, 1, 0])],
    ["[MQTT-3.3.2-1] a topic name that is no UTF-8", packet(0x30, utf8(Buffer.from([0xff])), [0])],
    ["[MQTT-4.7.3-2] U+0000 in the topic name", packet(0x30, utf8("a\0b"), [0])],
    [
      "[MQTT-3.3.2-13] a response topic that is no UTF-8",
      packet(0x30, utf8("t"), [5, 8, 0, 2, 0xc3, 0x28]),
    ],
    [
      "[MQTT-3.3.2-19] a content type that is no UTF-8",
      packet(0x30, utf8("t"), [5, 3, 0, 2, 0xc3, 0x28]),
    ],
    [
      "[MQTT-1.5.7-1] a user property that is no UTF-8",
      packet(0x30, utf8("t"), [7, 0x26, 0, 1, 0x61, 0, 1, 0xff]),
    ],
    [
      "[MQTT-1.5.5-1] a property length in more bytes than needed",
      packet(0x30, utf8("t"), [0x80, 0]),
    ],
    ["[MQTT-3.6.1-1] PUBREL with other flags", Buffer.from("60020001", "hex")],
    ["[MQTT-2.1.3-1] PUBACK with flags", Buffer.from("41020001", "hex")],
  ])("%s is malformed: 0x81 and closed", async (_, bytes) => {
    const client = await RawClient.connected(broker.tcp);
    client.sendBytes(bytes);
    await client.expect("disconnect", { reasonCode: 0x81 });
    await client.expectClosed();
  });

  test.each([
    [
      "[MQTT-3.3.2-2] [MQTT-4.7.0-1] a wildcard in the topic name",
      packet(0x30, utf8("a/+"), [0]),
      0x90,
    ],
    ["[MQTT-4.7.3-1] no topic name and no alias", packet(0x30, utf8(""), [0]), 0x82],
    ["[MQTT-3.3.2-8] topic alias 0", packet(0x30, utf8("t"), [3, 0x23, 0, 0]), 0x94],
    [
      "[MQTT-3.3.2-9] [MQTT-3.2.2-17] a topic alias above the maximum",
      packet(0x30, utf8("t"), [3, 0x23, 0, 33]),
      0x94,
    ],
    ["an alias that was never set", packet(0x30, utf8(""), [3, 0x23, 0, 5]), 0x82],
    [
      "[MQTT-3.3.2-14] a wildcard in the response topic",
      packet(0x30, utf8("t"), [4, 8, 0, 1, 0x23]),
      0x82,
    ],
    [
      "[MQTT-3.3.4-6] a subscription identifier from a client",
      packet(0x30, utf8("t"), [2, 0x0b, 1]),
      0x82,
    ],
    ["a payload format that is neither 0 nor 1", packet(0x30, utf8("t"), [2, 1, 2]), 0x82],
    ["[MQTT-3.3.1-2] DUP at QoS 0", packet(0x38, utf8("t"), [0]), 0x82],
    ["[MQTT-2.2.1-3] packet identifier 0", packet(0x32, utf8("t"), [0, 0, 0]), 0x82],
    ["a property twice", packet(0x30, utf8("t"), [4, 1, 1, 1, 1]), 0x82],
  ])("[MQTT-4.13.1-1] %s", async (_, bytes, reasonCode) => {
    const client = await RawClient.connected(broker.tcp);
    client.sendBytes(bytes);
    await client.expect("disconnect", { reasonCode });
    await client.expectClosed();
  });

  test.each([3, 4] as const)(
    "at protocol level %i the connection is closed without a word",
    async (version) => {
      const client = await RawClient.connected(broker.tcp, { version, clientId: fresh() });
      client.sendBytes(packet(0x30, utf8("a/+")));
      await client.expectClosed();
    },
  );

  test("a payload that is not the UTF-8 that it says gets 0x99", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(topic);
    const properties = { payloadFormatIndicator: true };
    for (const qos of [1, 2] as const) {
      const answer = await client.publish(topic, Buffer.from([0xff]), { qos, properties });
      expect(answer?.reasonCode).toBe(0x99);
    }
    client.sendPublish(topic, Buffer.from([0xff]), { properties });
    client.sendPublish(topic, "fine \0", { properties });
    await client.expect("publish", { payload: "fine \0", properties });
  });

  test("nobody but the broker publishes to $SYS: 0x87, and v3 clients are told that all is well", async () => {
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe("$SYS/mine");
    const puback = await client.publish("$SYS/mine", "x", { qos: 1 });
    expect(puback?.reasonCode).toBe(0x87);
    const v3 = await RawClient.connected(broker.tcp, { version: 4 });
    await v3.publish("$SYS/mine", "x", { qos: 1 });
    await v3.publish("$SYS/mine", "x", { qos: 2 });
    await client.expectQuiet();
  });
});

describe("what subscribers get", () => {
  test("[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20] all properties, unaltered and in order", async () => {
    const topic = fresh();
    const properties = {
      payloadFormatIndicator: true,
      contentType: "text/plain; \u{1F600}",
      responseTopic: "an/answer",
      correlationData: Buffer.from([0, 1, 2, 255]),
    };
    const pairs = [
      ["b", "1"],
      ["a", "2"],
      ["b", "1"],
      ["", ""],
      ["a", "3"],
    ] as const;
    const wire = pairs.map(([name, value]) =>
      Buffer.concat([Buffer.from([0x26]), utf8(name), utf8(value)]),
    );
    const transient = await RawClient.connected(broker.tcp);
    const durable = await RawClient.connected(broker.tcp, {
      clientId: fresh(),
      properties: { sessionExpiryInterval: 60 },
    });
    const body = Buffer.concat([
      Buffer.from([1, 1]),
      ...wire.slice(0, 2),
      Buffer.from([3]),
      utf8(properties.contentType),
      ...wire.slice(2),
      Buffer.from([8]),
      utf8(properties.responseTopic),
      Buffer.from([9]),
      utf8(properties.correlationData),
    ]);
    const seen: Buffer[] = [];
    for (const client of [transient, durable]) await client.subscribe(topic, { qos: 1 });
    const publisher = await RawClient.connected(broker.tcp);
    publisher.sendBytes(
      packet(0x32, utf8(topic), [0, 1, body.length], body, Buffer.from("payload")),
    );
    await publisher.expect("puback", { reasonCode: 0 });
    for (const client of [transient, durable]) {
      const got = await client.expect("publish", { topic, payload: "payload", qos: 1, properties });
      // the parser groups values by name; their order within a name has to be that of the sender
      expect(got.properties?.userProperties).toEqual({ b: ["1", "1"], a: ["2", "3"], "": "" });
      seen.push(got.payload as Buffer);
    }
    expect(seen).toHaveLength(2);
  });

  test("MQTT.js publishes and receives user properties, response topic and correlation data", async () => {
    const topic = fresh();
    const client = await mqttJs(broker.url);
    await client.subscribeAsync(topic, { qos: 2 });
    const properties = {
      contentType: "application/json",
      responseTopic: "back",
      correlationData: Buffer.from("17"),
      userProperties: { one: "1", many: ["1", "2"] },
    };
    const arrived = new Promise((resolve) => {
      client.once("message", (_topic, payload, { properties: got, qos }) =>
        resolve({ payload: payload.toString(), qos, got }),
      );
    });
    await client.publishAsync(topic, "{}", { qos: 2, properties });
    expect(await arrived).toMatchObject({ payload: "{}", qos: 2, got: properties });
  });

  test.each(["mqttv5", "311"])(
    "mosquitto_pub -V %s reaches mosquitto_sub of both versions",
    async (version) => {
      const topic = `${fresh()}/x`;
      const where = ["-h", broker.tcp.host, "-p", `${broker.tcp.port}`, "-q", "2"];
      const subscribers = [];
      for (const theirs of ["mqttv5", "311"]) {
        subscribers.push(
          await mosquittoSub([...where, "-V", theirs, "-t", topic], { format: "%t %q %p" }),
        );
      }
      for (const qos of ["0", "1", "2"]) {
        const done = await mosquittoPub([
          ...where,
          "-V",
          version,
          "-t",
          topic,
          "-m",
          `m${qos}`,
          "-q",
          qos,
        ]);
        expect(done).toMatchObject({ code: 0 });
      }
      for (const subscriber of subscribers) {
        expect(await subscriber.waitFor(3)).toEqual(
          [0, 1, 2].map((qos) => `${topic} ${qos} m${qos}`),
        );
      }
    },
  );

  test.each([
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 0],
    [1, 1],
    [1, 2],
    [2, 0],
    [2, 1],
    [2, 2],
  ] as const)(
    "[MQTT-3.8.4-8] published at QoS %i to a subscription of QoS %i",
    async (published, granted) => {
      const topic = fresh();
      const client = await RawClient.connected(broker.tcp);
      client.acknowledge = true;
      await client.subscribe(topic, { qos: granted });
      await publish(broker.tcp, topic, "x", { qos: published });
      const qos = Math.min(published, granted);
      // [MQTT-3.3.1-3] [MQTT-4.3.1-1] [MQTT-4.3.2-2] [MQTT-4.3.3-2]
      const got = await client.expect("publish", { payload: "x", qos, dup: false, retain: false });
      expect((got.messageId ?? 0) > 0).toBe(qos > 0);
      if (qos === 2) await client.expect("pubrel", { messageId: got.messageId, reasonCode: 0 });
    },
  );

  test("[MQTT-3.3.1-3] [MQTT-4.3.1-1] [MQTT-4.3.2-2] [MQTT-4.3.3-2] DUP of the sender is not passed on", async () => {
    const topic = fresh();
    const subscriber = await RawClient.connected(broker.tcp);
    await subscriber.subscribe(topic, { qos: 2 });
    const publisher = await RawClient.connected(broker.tcp);
    for (const qos of [1, 2] as const) {
      await publisher.publish(topic, "x", { qos, dup: true });
      await subscriber.expect("publish", { qos, dup: false });
    }
  });

  test("[MQTT-4.3.3-4] [MQTT-4.3.3-6] PUBREC brings PUBREL; again PUBREC, again PUBREL, never PUBLISH", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(topic, { qos: 2 });
    await publish(broker.tcp, topic, "x", { qos: 2 });
    const { messageId } = await client.expect("publish", { qos: 2 });
    acknowledge(client, "pubrec", messageId);
    await client.expect("pubrel", { messageId, reasonCode: 0 });
    acknowledge(client, "pubrec", messageId);
    await client.expect("pubrel", { messageId, reasonCode: 0 });
    acknowledge(client, "pubcomp", messageId);
    await client.expectQuiet();
  });

  test("[MQTT-4.4.0-2] an error PUBACK or PUBREC ends the delivery", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp, { properties: { receiveMaximum: 1 } });
    await client.subscribe(topic, { qos: 2 });
    await publish(broker.tcp, topic, "one", { qos: 1 });
    await publish(broker.tcp, topic, "two", { qos: 2 });
    await publish(broker.tcp, topic, "three", { qos: 1 });
    const one = await client.expect("publish", { payload: "one" });
    acknowledge(client, "puback", one.messageId, 0x80);
    const two = await client.expect("publish", { payload: "two" });
    acknowledge(client, "pubrec", two.messageId, 0x97);
    await client.expect("publish", { payload: "three" });
    await client.expectQuiet();
  });

  test("[MQTT-4.6.0-5] [MQTT-4.6.0-6] the order of a publisher's messages, by topic and QoS", async () => {
    const topics = [fresh(), fresh(), fresh()];
    const subscriber = await RawClient.connected(broker.tcp);
    subscriber.acknowledge = true;
    for (const topic of topics) await subscriber.subscribe(topic, { qos: 2 });
    const publisher = await RawClient.connected(broker.tcp);
    publisher.acknowledge = true;
    const total = 600;
    for (let i = 0; i < total; i++) {
      const qos = (i % 3) as 0 | 1 | 2;
      publisher.sendPublish(topics[Math.floor(i / 3) % 3] ?? "", `${i}`, { qos });
    }
    await waitFor(
      () => publisher.waiting.filter(({ cmd }) => cmd === "pubrec").length === total / 3,
    );
    const last = new Map<string, number>();
    for (let i = 0; i < total; i++) {
      const { topic, qos, payload } = await subscriber.find("publish");
      const key = `${topic} ${qos}`;
      expect(Number(payload)).toBeGreaterThan(last.get(key) ?? -1);
      last.set(key, Number(payload));
    }
    expect(last.size).toBe(9);
  });

  test("[MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1] packet identifiers in flight are all different", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(topic, { qos: 2 });
    for (let i = 0; i < 20; i++) await client.publish(topic, "x", { qos: i % 2 === 0 ? 1 : 2 });
    const ids = new Set<unknown>();
    for (let i = 0; i < 20; i++) ids.add((await client.expect("publish")).messageId);
    expect(ids.size).toBe(20);
    expect(ids.has(0)).toBe(false);
  });

  test.each([0, 1, 100, 16_383, 16_384, 70_000, 1_000_000])(
    "a payload of %i bytes arrives whole",
    async (size) => {
      const topic = fresh();
      const payload = Buffer.alloc(size, "0123456789abcdef");
      const clients = [
        await RawClient.connected(broker.tcp, { version: 4 }),
        await RawClient.connected(broker.tcp),
        await RawClient.connected(broker.tcp, {
          clientId: fresh(),
          properties: { sessionExpiryInterval: 60 },
        }),
      ];
      for (const client of clients) await client.subscribe(topic, { qos: 1 });
      const publisher = await RawClient.connected(broker.tcp);
      await publisher.publish(topic, payload, { qos: 1 });
      for (const client of clients) await client.expect("publish", { topic, payload });
    },
  );

  test("[MQTT-3.2.2-15] a packet above the broker's Maximum Packet Size is refused before it is buffered", async () => {
    const client = await RawClient.connected(broker.tcp);
    client.sendBytes("32 81 80 40");
    await client.expect("disconnect", { reasonCode: 0x95 });
    await client.expectClosed();
  });
});

describe("message expiry", () => {
  test("[MQTT-3.3.2-6] what is left of it comes with the message", async () => {
    const topic = fresh();
    const clientId = fresh("d");
    const client = await RawClient.connected(broker.tcp, {
      clientId,
      properties: { sessionExpiryInterval: 60 },
    });
    await client.subscribe(topic, { qos: 1 });
    await publish(broker.tcp, topic, "now", { properties: { messageExpiryInterval: 10 } });
    await client.expect("publish", { payload: "now", properties: { messageExpiryInterval: 10 } });
    await client.disconnect();
    await publish(broker.tcp, topic, "later", { properties: { messageExpiryInterval: 100 } });
    await publish(broker.tcp, topic, "short", { properties: { messageExpiryInterval: 1 } });
    await secondPassed();
    const again = await RawClient.connected(broker.tcp, {
      clientId,
      clean: false,
      properties: { sessionExpiryInterval: 60 },
    });
    await again.find("publish", { payload: "now", dup: true });
    const later = await again.expect("publish", { payload: "later" });
    expect(later.properties?.messageExpiryInterval).toBeLessThan(100);
    expect(later.properties?.messageExpiryInterval).toBeGreaterThan(80);
    // [MQTT-3.3.2-5]
    await publish(broker.tcp, topic, "end");
    await again.expect("publish", { payload: "end" });
  });

  test("[MQTT-4.3.3-7] [MQTT-4.3.3-13] a delivery that has begun goes on after the expiry", async () => {
    const topic = fresh();
    const clientId = fresh("d");
    const client = await RawClient.connected(broker.tcp, {
      clientId,
      properties: { sessionExpiryInterval: 60 },
    });
    await client.subscribe(topic, { qos: 2 });
    const expiry = { properties: { messageExpiryInterval: 1 } };
    await publish(broker.tcp, topic, "begun", { qos: 2, ...expiry });
    const { messageId } = await client.expect("publish", { payload: "begun" });
    await secondPassed();
    acknowledge(client, "pubrec", messageId);
    await client.expect("pubrel", { messageId, reasonCode: 0 });
    acknowledge(client, "pubcomp", messageId);
    await client.expectQuiet();
  });
});
