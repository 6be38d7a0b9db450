import { mqttJs, RawClient } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { fresh, packet, utf8 } from "./support.ts";
import { inCluster, sharedTarget, startTarget } from "./target.ts";

const broker = sharedTarget();

function connectBytes(name: string, level: number, flags = 2): Buffer {
  const properties = level === 5 ? [0] : [];
  return packet(0x10, utf8(name), [level, flags, 0, 0, ...properties], utf8("raw"));
}

describe("versions", () => {
  test.each([
    { version: 3 as const, name: "3.1" },
    { version: 4 as const, name: "3.1.1" },
  ])("an MQTT $name client connects, gets return code 0 and no properties", async ({ version }) => {
    const client = await RawClient.open(broker.tcp, { version });
    const connack = await client.connect({ clientId: fresh("v") });
    expect(connack).toMatchObject({ returnCode: 0, sessionPresent: false, length: 2 });
    await client.expectQuiet();
  });

  test("[MQTT-3.1.4-5] [MQTT-3.2.2-1] an MQTT 5 client gets CONNACK 0x00", async () => {
    const client = await RawClient.open(broker.tcp);
    const connack = await client.connect({ clientId: fresh("v") });
    expect(connack).toMatchObject({ reasonCode: 0, sessionPresent: false });
    expect(connack.properties).toEqual({
      maximumPacketSize: 1_048_576,
      receiveMaximum: 1024,
      topicAliasMaximum: 32,
    });
  });

  test.each([4, 5] as const)("MQTT.js at v%i connects", async (protocolVersion) => {
    const client = await mqttJs(broker.url, { protocolVersion });
    expect(client.connected).toBe(true);
  });

  test("[MQTT-3.1.2-1] a protocol name that is not MQTT ends the connection", async () => {
    const client = await RawClient.open(broker.tcp);
    client.sendBytes(connectBytes("MQTX", 5));
    await client.expectClosed();
  });

  test("[MQTT-3.1.2-2] a version from the future gets CONNACK 0x84, one of the past code 1", async () => {
    const future = await RawClient.open(broker.tcp);
    future.sendBytes(connectBytes("MQTT", 6));
    await future.expect("connack", { reasonCode: 0x84 });
    await future.expectClosed();
    const past = await RawClient.open(broker.tcp, { version: 4 });
    past.sendBytes(connectBytes("MQTT", 2));
    await past.expect("connack", { returnCode: 1 });
    await past.expectClosed();
  });
});

describe("what is wrong before or with CONNECT", () => {
  test.each([
    ["PINGREQ", "c000"],
    ["PUBLISH", "30050001610062"],
    ["SUBSCRIBE", "8207000100000161 00"],
    ["DISCONNECT", "e000"],
    ["AUTH", "f000"],
    ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n").toString("hex")],
    ["a TLS greeting", "16030100c8010000c40303"],
  ])("[MQTT-3.1.0-1] %s before CONNECT closes the connection without an answer", async (_, hex) => {
    const client = await RawClient.open(broker.tcp);
    client.sendBytes(hex);
    await client.expectClosed();
    expect(client.bytesRead).toBe(0);
  });

  test("[MQTT-3.1.0-2] [MQTT-3.2.0-2] [MQTT-3.14.4-1] [MQTT-3.14.4-2] a second CONNECT is a protocol error", async () => {
    const client = await RawClient.connected(broker.tcp, { clientId: fresh() });
    client.sendConnect({ clientId: fresh() });
    await client.expect("disconnect", { reasonCode: 0x82 });
    await client.expectClosed();
  });

  test("a second CONNECT of MQTT 3.1.1 closes the connection", async () => {
    const client = await RawClient.connected(broker.tcp, { version: 4, clientId: fresh() });
    client.sendConnect({ clientId: fresh() });
    await client.expectClosed();
  });

  test.each([
    ["[MQTT-3.1.2-3] the reserved flag", 0x03],
    ["[MQTT-3.1.2-11] Will QoS without a will", 0x0a],
    ["[MQTT-3.1.2-13] Will Retain without a will", 0x22],
    ["[MQTT-3.1.2-12] Will QoS 3", 0x1e],
    ["[MQTT-3.1.2-17] the User Name flag without one", 0x82],
    ["[MQTT-3.1.2-19] the Password flag without one", 0x42],
    ["[MQTT-3.1.2-9] the Will flag without one", 0x06],
  ])("[MQTT-3.1.4-1] [MQTT-3.2.2-7] %s: CONNACK 0x81 and closed", async (_, flags) => {
    const client = await RawClient.open(broker.tcp);
    client.sendBytes(connectBytes("MQTT", 5, flags));
    await client.expect("connack", { reasonCode: 0x81, sessionPresent: false });
    await client.expectClosed();
  });

  test.each([
    ["[MQTT-3.1.2-16] a user name without its flag", utf8("user")],
    ["[MQTT-3.1.2-18] a password without its flag", utf8("secret")],
  ])("%s is malformed", async (_, extra) => {
    const client = await RawClient.open(broker.tcp);
    client.sendBytes(packet(0x10, utf8("MQTT"), [5, 2, 0, 0, 0], utf8("raw"), extra));
    await client.expect("connack", { reasonCode: 0x81 });
    await client.expectClosed();
  });

  test.each([
    ["U+0000", Buffer.from([0x61, 0])],
    ["a surrogate", Buffer.from([0xed, 0xa0, 0x80])],
    ["an overlong form", Buffer.from([0xc0, 0x80])],
  ])("[MQTT-3.1.3-4] [MQTT-1.5.4-1] [MQTT-1.5.4-2] %s in the client identifier", async (_, id) => {
    const client = await RawClient.open(broker.tcp);
    client.sendBytes(packet(0x10, utf8("MQTT"), [5, 2, 0, 0, 0], utf8(id)));
    await client.expect("connack", { reasonCode: 0x81 });
    await client.expectClosed();
  });

  test("a property twice is a protocol error: CONNACK 0x82", async () => {
    const client = await RawClient.open(broker.tcp);
    const twice = [6, 0x21, 0, 9, 0x21, 0, 9];
    client.sendBytes(packet(0x10, utf8("MQTT"), [5, 2, 0, 0, ...twice], utf8("raw")));
    await client.expect("connack", { reasonCode: 0x82 });
    await client.expectClosed();
  });

  test("a property that CONNECT does not have is malformed", async () => {
    const client = await RawClient.open(broker.tcp);
    client.sendBytes(packet(0x10, utf8("MQTT"), [5, 2, 0, 0, 3, 0x13, 0, 9], utf8("raw")));
    await client.expect("connack", { reasonCode: 0x81 });
    await client.expectClosed();
  });

  test("[MQTT-3.1.4-6] what follows a refused CONNECT is not processed", async () => {
    const watcher = await RawClient.connected(broker.tcp);
    const topic = fresh();
    await watcher.subscribe(topic);
    const client = await RawClient.open(broker.tcp);
    client.sendBytes(
      Buffer.concat([
        connectBytes("MQTT", 5, 3),
        packet(0x30, utf8(topic), [0], Buffer.from("never")),
      ]),
    );
    await client.expect("connack", { reasonCode: 0x81 });
    await client.expectClosed();
    await watcher.publish(topic, "after", { qos: 1 });
    await watcher.expect("publish", { payload: "after" });
  });

  test("the remaining length has at most four bytes", async () => {
    const client = await RawClient.open(broker.tcp);
    client.sendBytes("10 ff ff ff ff 01");
    await client.expectClosed();
    expect(client.bytesRead).toBe(0);
  });

  test("packets before CONNACK are kept until it is sent [MQTT-3.2.0-1]", async () => {
    const client = await RawClient.open(broker.tcp);
    const connect = connectBytes("MQTT", 5);
    client.sendBytes(Buffer.concat([connect, packet(0xc0)]));
    await client.expect("connack", { reasonCode: 0 });
    await client.expect("pingresp");
  });
});

describe("client identifiers", () => {
  test("[MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] an empty one is replaced by a new one", async () => {
    const connacks = [];
    for (let i = 0; i < 2; i++) {
      const client = await RawClient.open(broker.tcp);
      connacks.push(await client.connect({ clientId: "" }));
    }
    const [one, two] = connacks.map(({ properties }) => properties?.assignedClientIdentifier);
    expect(one).toMatch(/./);
    expect(two).toMatch(/./);
    expect(one).not.toBe(two);
  });

  test("[MQTT-3.1.3-7] an assigned identifier names the session from then on", async () => {
    const first = await RawClient.open(broker.tcp);
    const { properties } = await first.connect({
      clientId: "",
      properties: { sessionExpiryInterval: 60 },
    });
    const clientId = properties?.assignedClientIdentifier ?? "";
    await first.disconnect();
    const second = await RawClient.open(broker.tcp);
    const again = await second.connect({ clientId, clean: false });
    expect(again.sessionPresent).toBe(true);
  });

  test("an empty one of MQTT 3.1.1 needs a clean session: code 2", async () => {
    const client = await RawClient.open(broker.tcp, { version: 4 });
    client.sendConnect({ clientId: "", clean: true });
    await client.expect("connack", { returnCode: 0 });
    const unclean = await RawClient.open(broker.tcp, { version: 4 });
    unclean.sendBytes(packet(0x10, utf8("MQTT"), [4, 0, 0, 0], utf8("")));
    await unclean.expect("connack", { returnCode: 2 });
    await unclean.expectClosed();
  });

  test("[MQTT-3.1.3-5] 1 to 23 letters and digits are allowed", async () => {
    for (const clientId of ["a", "abcdefghijklmnopqrstuvw", "ABCXYZ0123456789"]) {
      const client = await RawClient.connected(broker.tcp, { clientId });
      await client.expectQuiet();
    }
  });

  test("[MQTT-3.1.3-8] [MQTT-3.2.2-6] a longer one than the limit gets 0x85; for v3 code 2", async () => {
    const clientId = "x".repeat(1025);
    const client = await RawClient.open(broker.tcp);
    await client.connect({ clientId }, { reasonCode: 0x85, sessionPresent: false });
    await client.expectClosed();
    const v3 = await RawClient.open(broker.tcp, { version: 4 });
    await v3.connect({ clientId }, { returnCode: 2, sessionPresent: false, length: 2 });
    await v3.expectClosed();
  });

  test("[MQTT-3.1.3-2] [MQTT-1.5.4-3] identifiers are compared byte by byte, U+FEFF included", async () => {
    const name = fresh("é");
    const ids = [name, `\uFEFF${name}`, name.normalize("NFD"), name.toUpperCase()];
    const clients = await Promise.all(
      ids.map((clientId) => RawClient.connected(broker.tcp, { clientId })),
    );
    for (const client of clients) await client.expectQuiet();
  });
});

describe("what CONNACK and later packets tell", () => {
  test("[MQTT-3.1.2-28] response information comes where it is asked for, and only there", async () => {
    const clientId = fresh("r");
    const asks = await RawClient.open(broker.tcp);
    const yes = await asks.connect({ clientId, properties: { requestResponseInformation: true } });
    expect(yes.properties?.responseInformation).toBe(`responses/${clientId}`);
    const silent = await RawClient.open(broker.tcp);
    const no = await silent.connect({ properties: { requestResponseInformation: false } });
    expect(no.properties?.responseInformation).toBeUndefined();
  });

  test("[MQTT-3.1.2-29] no Reason String in acknowledgements for who wants no problem information", async () => {
    const silent = await RawClient.connected(broker.tcp, {
      properties: { requestProblemInformation: false },
    });
    const talkative = await RawClient.connected(broker.tcp);
    for (const [client, text] of [[silent, undefined] as const, [talkative, "given"] as const]) {
      const puback = await client.publish("$SYS/x", "x", { qos: 1 });
      const pubrec = await client.publish("$SYS/x", "x", { qos: 2 });
      const suback = await client.subscribe("a/#/b", {}, [0x8f]);
      expect([puback?.reasonCode, pubrec?.reasonCode]).toEqual([0x87, 0x87]);
      for (const answer of [puback, pubrec, suback]) {
        const given = answer?.properties?.reasonString;
        expect(given === undefined ? undefined : "given").toBe(text);
      }
    }
    silent.sendConnect();
    await silent.expect("disconnect", { reasonCode: 0x82 });
  });

  test("[MQTT-3.12.4-1] PINGREQ is answered", async () => {
    for (const version of [3, 4, 5] as const) {
      const client = await RawClient.connected(broker.tcp, { version, clientId: fresh() });
      await client.expectQuiet();
    }
  });
});

describe("keep alive", () => {
  test("[MQTT-3.1.2-22] [MQTT-3.2.2-22] a silent client is given up after 1.5 times its keep alive", async () => {
    const client = await RawClient.open(broker.tcp);
    await client.connect({ keepalive: 1 });
    const start = performance.now();
    await client.expect("disconnect", { reasonCode: 0x8d });
    expect(performance.now() - start).toBeGreaterThan(1400);
    await client.expectClosed();
  });

  test("[MQTT-3.1.2-22] any packet counts, and half of one does not end the connection", async () => {
    const client = await RawClient.connected(broker.tcp, {
      version: 4,
      clientId: fresh(),
      keepalive: 1,
    });
    const silent = await RawClient.connected(broker.tcp, {
      version: 4,
      clientId: fresh(),
      keepalive: 1,
    });
    const timer = setInterval(() => client.sendPublish(fresh(), "x"), 300);
    await silent.expectClosed();
    clearInterval(timer);
    await client.expectQuiet();
  });

  test("[MQTT-3.1.2-22] a keep alive of 0 means none", async () => {
    const patient = await RawClient.connected(broker.tcp, { keepalive: 0 });
    const other = await RawClient.connected(broker.tcp, { keepalive: 1 });
    await other.expect("disconnect", { reasonCode: 0x8d });
    await patient.expectQuiet();
  });

  test.skipIf(inCluster("a setting of one gateway"))(
    "[MQTT-3.1.2-21] [MQTT-3.2.2-21] the server's keep alive is told and counts",
    async () => {
      const strict = await startTarget({ set: { "limits.serverKeepAlive": 1 } });
      const client = await RawClient.open(strict.tcp);
      await client.connect({ keepalive: 100 }, { properties: { serverKeepAlive: 1 } });
      await client.expect("disconnect", { reasonCode: 0x8d });
    },
  );

  test.skipIf(inCluster("a setting of one gateway"))(
    "a longest keep alive is told to who asks for more, or for none",
    async () => {
      const strict = await startTarget({ set: { "limits.maxKeepAlive": 30 } });
      for (const [keepalive, told] of [
        [0, 30],
        [31, 30],
        [30, undefined],
        [5, undefined],
      ] as const) {
        const client = await RawClient.open(strict.tcp);
        const { properties } = await client.connect({ keepalive });
        expect(properties?.serverKeepAlive).toBe(told);
      }
    },
  );
});

test.skipIf(inCluster("a limit of one gateway"))(
  "a connection without a whole CONNECT is closed when its time is over",
  async () => {
    const strict = await startTarget({ set: { "limits.connectTimeout": "1s" } });
    const silent = await RawClient.open(strict.tcp);
    const slow = await RawClient.open(strict.tcp);
    slow.sendBytes("10 20 00 04");
    const open = await RawClient.connected(strict.tcp);
    await silent.expectClosed();
    await slow.expectClosed();
    expect(silent.bytesRead + slow.bytesRead).toBe(0);
    await open.expectQuiet();
  },
);

test.skipIf(inCluster("settings of one gateway"))(
  "[MQTT-3.2.2-9] [MQTT-3.2.2-12] [MQTT-3.2.2-13] what is switched off is told, and refused in a will",
  async () => {
    const plain = await startTarget({
      set: {
        "limits.maxQos": 1,
        "features.retainAvailable": false,
        "features.wildcardSubscriptionAvailable": false,
        "features.sharedSubscriptionAvailable": false,
        "features.subscriptionIdentifiersAvailable": false,
      },
    });
    const client = await RawClient.open(plain.tcp);
    await client.connect(
      {},
      {
        properties: {
          maximumQoS: 1,
          retainAvailable: false,
          wildcardSubscriptionAvailable: false,
          sharedSubscriptionAvailable: false,
          subscriptionIdentifiersAvailable: false,
        },
      },
    );
    // [MQTT-3.2.2-10]
    await client.subscribe("a", { qos: 2 }, [1]);
    await client.subscribe("a/+", {}, [0xa2]);
    await client.subscribe("$share/g/a", {}, [0x9e]);
    await client.subscribe("b", { properties: { subscriptionIdentifier: 3 } }, [0xa1]);
    client.sendPublish("a", "x", { retain: true });
    await client.expect("disconnect", { reasonCode: 0x9a });
    const loud = await RawClient.connected(plain.tcp);
    loud.sendPublish("a", "x", { qos: 2 });
    await loud.expect("disconnect", { reasonCode: 0x9b });
    for (const [qos, retain, reasonCode] of [
      [2, false, 0x9b],
      [0, true, 0x9a],
    ] as const) {
      const refused = await RawClient.open(plain.tcp);
      const will = { topic: "will", payload: Buffer.from("w"), qos, retain };
      await refused.connect({ will }, { reasonCode });
      await refused.expectClosed();
    }
  },
);
