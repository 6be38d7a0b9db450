import { mosquittoSub, mqttJs, RawClient } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { acknowledge, fresh, packet, publish, retainedUnder, utf8 } from "./support.ts";
import { inCluster, sharedTarget, startTarget } from "./target.ts";

const broker = sharedTarget();

describe("SUBSCRIBE and SUBACK", () => {
  test("[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-2.2.1-6] SUBACK has the packet identifier of SUBSCRIBE", async () => {
    for (const version of [3, 4, 5] as const) {
      const client = await RawClient.connected(broker.tcp, { version, clientId: fresh() });
      client.send({ cmd: "subscribe", messageId: 4711, subscriptions: [{ topic: "a", qos: 1 }] });
      await client.expect("suback", { messageId: 4711, granted: [1] });
    }
  });

  test("[MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2] a reason code for each filter, in order", async () => {
    const client = await RawClient.connected(broker.tcp);
    const filters = [
      { topic: "a", qos: 2 as const },
      { topic: "a/#/b", qos: 0 as const },
      { topic: "b+", qos: 1 as const },
      { topic: "+/b/#", qos: 1 as const },
      { topic: "$share/g", qos: 1 as const },
      { topic: "/", qos: 0 as const },
    ];
    await client.subscribe(filters, {}, [2, 0x8f, 0x8f, 1, 0x8f, 0]);
    const v3 = await RawClient.connected(broker.tcp, { version: 4 });
    await v3.subscribe(filters, {}, [2, 0x80, 0x80, 1, 0x80, 0]);
    await v3.expectQuiet();
  });

  test.each([
    ["[MQTT-3.8.1-1] other flags", packet(0x80, [0, 1, 0], utf8("a"), [0]), 0x81],
    ["[MQTT-3.8.3-5] reserved option bits", packet(0x82, [0, 1, 0], utf8("a"), [0x40]), 0x81],
    ["QoS 3", packet(0x82, [0, 1, 0], utf8("a"), [3]), 0x82],
    ["Retain Handling 3", packet(0x82, [0, 1, 0], utf8("a"), [0x30]), 0x82],
    ["[MQTT-3.8.3-2] no filter", packet(0x82, [0, 1, 0]), 0x82],
    [
      "[MQTT-3.8.3-1] [MQTT-1.5.4-1] a filter that is no UTF-8",
      packet(0x82, [0, 1, 0], utf8(Buffer.from([0xff])), [0]),
      0x81,
    ],
    ["[MQTT-4.7.3-2] U+0000 in a filter", packet(0x82, [0, 1, 0], utf8("a\0"), [0]), 0x81],
    ["[MQTT-2.2.1-3] packet identifier 0", packet(0x82, [0, 0, 0], utf8("a"), [0]), 0x82],
    ["subscription identifier 0", packet(0x82, [0, 1, 2, 0x0b, 0], utf8("a"), [0]), 0x82],
    [
      "two subscription identifiers",
      packet(0x82, [0, 1, 4, 0x0b, 1, 0x0b, 2], utf8("a"), [0]),
      0x82,
    ],
    [
      "[MQTT-3.8.3-4] No Local on a shared subscription",
      packet(0x82, [0, 1, 0], utf8("$share/g/a"), [4]),
      0x82,
    ],
    ["[MQTT-3.10.1-1] UNSUBSCRIBE with other flags", packet(0xa0, [0, 1, 0], utf8("a")), 0x81],
    ["[MQTT-3.10.3-2] UNSUBSCRIBE without a filter", packet(0xa2, [0, 1, 0]), 0x82],
    [
      "[MQTT-3.10.3-1] UNSUBSCRIBE of what is no UTF-8",
      packet(0xa2, [0, 1, 0], utf8(Buffer.from([0xff]))),
      0x81,
    ],
  ])("[MQTT-4.13.1-1] %s", async (_, bytes, reasonCode) => {
    const client = await RawClient.connected(broker.tcp);
    client.sendBytes(bytes);
    await client.expect("disconnect", { reasonCode });
    await client.expectClosed();
  });

  test.each([
    "#/a",
    "a#",
    "a/#/",
    "+a",
    "a+/b",
    "a/b+",
    "$share//a",
    "$share/g/",
    "$share/a+/b",
    "$share/a#/b",
    "$share/g/a#",
  ])(
    "[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.8.2-1] [MQTT-4.8.2-2] the filter %s is invalid",
    async (filter) => {
      const client = await RawClient.connected(broker.tcp);
      await client.subscribe(filter, {}, [0x8f]);
      await client.expectQuiet();
    },
  );

  test("[MQTT-4.7.3-1] an empty filter is invalid", async () => {
    const client = await RawClient.connected(broker.tcp);
    client.sendBytes(packet(0x82, [0, 1, 0], utf8(""), [0]));
    await client.expect("suback", { granted: [0x8f] });
  });
});

describe("matching", () => {
  const cases: [string, string, string[], string[]][] = [
    ["[MQTT-4.7.1-1] #", "{}/#", ["", "/a", "/a/b", "//"], ["x"]],
    ["[MQTT-4.7.1-2] +", "{}/+/c", ["/a/c", "//c"], ["/c", "/a/b/c", "/a/c/"]],
    ["[MQTT-4.7.1-2] + at both ends", "+/{}/+", [], ["", "/b"]],
    ["+ and # together", "{}/+/#", ["/a", "/a/b/c", "/"], [""]],
    ["[MQTT-4.7.3-4] exact names, byte by byte", "{}/Å", ["/Å"], ["/A\u030a", "/å", "/Å/"]],
    ["empty levels", "{}//", ["//"], ["/", "///"]],
    ["spaces", "{}/a b", ["/a b"], ["/ab"]],
  ];
  test.each(cases)("%s", async (_, pattern, yes, no) => {
    const base = fresh();
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(pattern.replace("{}", base));
    for (const rest of no) await publish(broker.tcp, base + rest, "no");
    for (const rest of yes) {
      await publish(broker.tcp, base + rest, "yes");
      await client.expect("publish", { topic: base + rest, payload: "yes" });
    }
    await client.expectQuiet();
  });

  test("[MQTT-4.7.2-1] filters that start with a wildcard do not match names that start with $", async () => {
    const level = fresh("$");
    const client = await RawClient.connected(broker.tcp);
    for (const filter of ["#", "+/x", `+/#`]) await client.subscribe(filter);
    await publish(broker.tcp, `${level}/x`, "hidden");
    await client.subscribe(`${level}/+`);
    await publish(broker.tcp, `${level}/x`, "shown");
    await client.find("publish", { topic: `${level}/x`, payload: "shown" });
    expect(
      client.waiting.filter((got) => got.cmd === "publish" && got.topic.startsWith("$")),
    ).toEqual([]);
  });

  test("a client gets what it publishes itself, unless it says No Local", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(topic);
    client.sendPublish(topic, "mine");
    await client.expect("publish", { payload: "mine" });
  });

  test.each([0, 60])(
    "[MQTT-3.8.3-3] No Local, with a session that lasts %i seconds",
    async (sessionExpiryInterval) => {
      const topic = fresh();
      const client = await RawClient.connected(broker.tcp, {
        clientId: fresh(),
        properties: { sessionExpiryInterval },
      });
      await client.subscribe(topic, { qos: 1, nl: true });
      for (const qos of [0, 1] as const) {
        await client.publish(topic, "mine", { qos });
        await publish(broker.tcp, topic, "theirs", { qos });
        await client.expect("publish", { payload: "theirs", qos });
      }
      // another subscription without it, through which the own message comes
      await client.subscribe(`${topic}/#`, { qos: 1, properties: { subscriptionIdentifier: 8 } });
      client.sendPublish(topic, "again", { qos: 1 });
      await client.find("publish", { payload: "again", properties: { subscriptionIdentifier: 8 } });
    },
  );

  test("[MQTT-3.3.1-12] [MQTT-3.3.1-13] Retain As Published", async () => {
    const [plain, kept] = [fresh(), fresh()];
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(plain, { rap: false });
    await client.subscribe(kept, { rap: true });
    for (const retain of [true, false]) {
      for (const topic of [plain, kept]) {
        await publish(broker.tcp, topic, "x", { retain });
        await client.expect("publish", { topic, retain: topic === kept && retain });
      }
    }
  });

  test("[MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4] overlapping subscriptions: one copy, highest QoS, all identifiers", async () => {
    const topic = fresh();
    for (const sessionExpiryInterval of [0, 60]) {
      const client = await RawClient.connected(broker.tcp, {
        clientId: fresh(),
        properties: { sessionExpiryInterval },
      });
      await client.subscribe(`${topic}/#`, { qos: 0, properties: { subscriptionIdentifier: 1 } });
      await client.subscribe(`${topic}/+`, {
        qos: 2,
        properties: { subscriptionIdentifier: 268_435_455 },
      });
      await client.subscribe(`${topic}/a`, { qos: 1 });
      await client.subscribe(`+/a/#`, { qos: 1, properties: { subscriptionIdentifier: 300 } });
      await publish(broker.tcp, `${topic}/a`, "x", { qos: 2 });
      const got = await client.expect("publish", { qos: 2, payload: "x" });
      const ids = got.properties?.subscriptionIdentifier as unknown as number[];
      expect(ids.toSorted((a, b) => a - b)).toEqual([1, 300, 268_435_455]);
      await client.expectQuiet();
    }
  });

  test("identifiers are not for clients of MQTT 3.1.1", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp, { version: 4 });
    await client.subscribe([
      { topic, qos: 1 },
      { topic: `${topic}/#`, qos: 2 },
    ]);
    await publish(broker.tcp, topic, "x", { qos: 2, properties: { contentType: "y" } });
    await client.expect("publish", { topic, payload: "x", qos: 2, properties: undefined });
  });
});

describe("changing subscriptions", () => {
  test("[MQTT-3.8.4-3] the same filter again replaces options and identifier", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(topic, { qos: 2, properties: { subscriptionIdentifier: 1 } });
    await client.subscribe(topic, { qos: 0, nl: true, properties: { subscriptionIdentifier: 2 } });
    await client.publish(topic, "mine", { qos: 1 });
    await publish(broker.tcp, topic, "x", { qos: 1 });
    await client.expect("publish", {
      payload: "x",
      qos: 0,
      properties: { subscriptionIdentifier: 2 },
    });
    await client.subscribe(topic, { qos: 1 });
    await publish(broker.tcp, topic, "y", { qos: 1 });
    const { properties } = await client.expect("publish", { payload: "y", qos: 1 });
    expect(properties?.subscriptionIdentifier).toBeUndefined();
  });

  test("[MQTT-3.8.4-5] a filter twice in one SUBSCRIBE: the last counts", async () => {
    const topic = fresh();
    for (const sessionExpiryInterval of [0, 60]) {
      const client = await RawClient.connected(broker.tcp, {
        clientId: fresh(),
        properties: { sessionExpiryInterval },
      });
      await client.subscribe([
        { topic, qos: 0 },
        { topic, qos: 1 },
      ]);
      await publish(broker.tcp, topic, "x", { qos: 1 });
      await client.expect("publish", { payload: "x", qos: 1 });
      await client.expectQuiet();
    }
  });

  test("[MQTT-3.10.4-1] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2] UNSUBSCRIBE", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(`${topic}/#`);
    await client.subscribe(`${topic}/a`);
    const filters = [`${topic}/a`, `${topic}/+`, `${topic}/b`, "a/#/b", `${topic}/a`];
    const unsuback = await client.unsubscribe(filters);
    expect(unsuback.granted).toEqual([0, 0x11, 0x11, 0x8f, 0x11]);
    await publish(broker.tcp, `${topic}/a`, "still");
    await client.expect("publish", { payload: "still" });
    await client.expectQuiet();
    const v3 = await RawClient.connected(broker.tcp, { version: 4 });
    await v3.unsubscribe("never/subscribed");
  });

  test("[MQTT-3.10.4-2] nothing comes any more after UNSUBACK", async () => {
    for (const sessionExpiryInterval of [0, 60]) {
      const topic = fresh();
      const client = await RawClient.connected(broker.tcp, {
        clientId: fresh(),
        properties: { sessionExpiryInterval },
      });
      await client.subscribe(topic, { qos: 1 });
      await client.unsubscribe(topic);
      await publish(broker.tcp, topic, "x");
      await client.expectQuiet();
    }
  });

  test("[MQTT-3.10.4-3] deliveries that have begun are completed after UNSUBSCRIBE", async () => {
    for (const sessionExpiryInterval of [0, 60]) {
      const topic = fresh();
      const client = await RawClient.connected(broker.tcp, {
        clientId: fresh(),
        properties: { sessionExpiryInterval },
      });
      await client.subscribe(topic, { qos: 2 });
      await publish(broker.tcp, topic, "x", { qos: 2 });
      const { messageId } = await client.expect("publish", { payload: "x" });
      await client.unsubscribe(topic);
      acknowledge(client, "pubrec", messageId);
      await client.expect("pubrel", { messageId, reasonCode: 0 });
      acknowledge(client, "pubcomp", messageId);
      await client.expectQuiet();
    }
  });

  test("a subscription that has ended and begins again gets what comes from then on", async () => {
    const topic = fresh();
    const client = await RawClient.connected(broker.tcp, {
      clientId: fresh(),
      properties: { sessionExpiryInterval: 60 },
    });
    await client.subscribe(topic, { qos: 1 });
    await client.unsubscribe(topic);
    await publish(broker.tcp, topic, "between");
    await client.subscribe(topic, { qos: 1 });
    await publish(broker.tcp, topic, "after");
    await client.expect("publish", { payload: "after" });
  });
});

describe("Retain Handling", () => {
  test("[MQTT-3.3.1-9] [MQTT-3.8.4-4] 0: retained messages come with every SUBSCRIBE", async () => {
    const topic = fresh();
    await publish(broker.tcp, topic, "kept", { retain: true });
    const client = await RawClient.connected(broker.tcp);
    for (let i = 0; i < 2; i++) {
      await client.subscribe(topic, { rh: 0 });
      await client.expect("publish", { payload: "kept", retain: true });
    }
  });

  test.each([0, 60])(
    "[MQTT-3.3.1-10] 1: only where the subscription is new (session of %i s)",
    async (sessionExpiryInterval) => {
      const topic = fresh();
      await publish(broker.tcp, topic, "kept", { retain: true });
      const client = await RawClient.connected(broker.tcp, {
        clientId: fresh(),
        properties: { sessionExpiryInterval },
      });
      await client.subscribe(topic, { rh: 1 });
      await client.expect("publish", { payload: "kept", retain: true });
      await client.subscribe(topic, { rh: 1 });
      expect(await retainedUnder(client, fresh())).toEqual([]);
      expect(client.waiting).toEqual([]);
      await client.unsubscribe(topic);
      await client.subscribe(topic, { rh: 1 });
      await client.expect("publish", { payload: "kept", retain: true });
    },
  );

  test("[MQTT-3.3.1-11] 2: never at the time of SUBSCRIBE", async () => {
    const topic = fresh();
    await publish(broker.tcp, topic, "kept", { retain: true });
    const client = await RawClient.connected(broker.tcp);
    await client.subscribe(topic, { rh: 2 });
    await publish(broker.tcp, topic, "live");
    await client.expect("publish", { payload: "live", retain: false });
  });
});

describe("limits", () => {
  test.skipIf(inCluster("a limit of one gateway"))(
    "subscriptions per session: 0x97, for v3 0x80",
    async () => {
      const small = await startTarget({ set: { "limits.maxSubscriptionsPerSession": 2 } });
      const client = await RawClient.connected(small.tcp);
      await client.subscribe(
        [
          { topic: "a", qos: 0 },
          { topic: "b", qos: 0 },
          { topic: "c", qos: 0 },
          { topic: "a", qos: 1 },
        ],
        {},
        [0, 0, 0x97, 1],
      );
      await client.unsubscribe("a");
      await client.subscribe("c");
      const v3 = await RawClient.connected(small.tcp, { version: 4 });
      for (const [topic, code] of [
        ["a", 0],
        ["b", 0],
        ["c", 0x80],
      ] as const) {
        await v3.subscribe(topic, {}, [code]);
      }
      await v3.expectQuiet();
    },
  );

  test.skipIf(inCluster("a limit of one gateway"))(
    "length and levels of names and filters: 0x8F and 0x90",
    async () => {
      const small = await startTarget({
        set: { "limits.maxTopicLength": 20, "limits.maxTopicLevels": 3 },
      });
      const client = await RawClient.connected(small.tcp);
      const [long, deep] = ["x".repeat(21), "a/b/c/d"];
      await client.subscribe(
        [
          { topic: long, qos: 0 },
          { topic: deep, qos: 0 },
        ],
        {},
        [0x8f, 0x8f],
      );
      for (const topic of [long, deep]) {
        expect((await client.publish(topic, "x", { qos: 1 }))?.reasonCode).toBe(0x90);
        expect((await client.publish(topic, "x", { qos: 2 }))?.reasonCode).toBe(0x90);
        const will = { topic, payload: Buffer.from("x"), qos: 0 as const };
        const refused = await RawClient.open(small.tcp);
        await refused.connect({ will }, { reasonCode: 0x90 });
      }
      await client.subscribe(["x".repeat(20), "a/b/c"].map((topic) => ({ topic, qos: 0 })));
    },
  );
});

test.each([4, 5] as const)(
  "MQTT.js at v%i subscribes and unsubscribes",
  async (protocolVersion) => {
    const topic = fresh();
    const client = await mqttJs(broker.url, { protocolVersion });
    const granted = await client.subscribeAsync([`${topic}/+`, `${topic}/b/#`], { qos: 1 });
    expect(granted.map(({ qos }) => qos)).toEqual([1, 1]);
    const got: string[] = [];
    const arrived = new Promise<void>((resolve) => {
      client.on("message", (name) => {
        got.push(name);
        if (name === `${topic}/b/end`) resolve();
      });
    });
    await client.publishAsync(`${topic}/a`, "1", { qos: 1 });
    await client.unsubscribeAsync(`${topic}/+`);
    await client.publishAsync(`${topic}/a`, "2", { qos: 1 });
    await client.publishAsync(`${topic}/b/end`, "3", { qos: 1 });
    await arrived;
    expect(got).toEqual([`${topic}/a`, `${topic}/b/end`]);
  },
);

test("mosquitto_sub with several filters, one of them in another", async () => {
  const topic = fresh();
  const { host, port } = broker.tcp;
  for (const version of ["mqttv5", "311"]) {
    const subscriber = await mosquittoSub(
      ["-h", host, "-p", `${port}`, "-V", version, "-t", `${topic}/#`, "-t", "other", "-q", "1"],
      { format: "%t %p" },
    );
    await publish(broker.tcp, `${topic}/a`, version);
    expect(await subscriber.waitFor(1)).toEqual([`${topic}/a ${version}`]);
  }
});
