import { mosquittoPub, mqttJs, RawClient } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { fresh, publish, retainedUnder, secondPassed } from "./support.ts";
import { sharedTarget } from "./target.ts";

const broker = sharedTarget();

type Will = NonNullable<Parameters<RawClient["connect"]>[0]>["will"];

function will(topic: string, more: Partial<NonNullable<Will>> = {}): NonNullable<Will> {
  return { topic, payload: Buffer.from("gone"), qos: 1, retain: false, ...more };
}

/** A subscriber to everything under a new topic. */
async function watch(): Promise<{ base: string; watcher: RawClient }> {
  const base = fresh();
  const watcher = await RawClient.connected(broker.tcp);
  watcher.acknowledge = true;
  await watcher.subscribe(`${base}/#`, { qos: 2, rap: true });
  return { base, watcher };
}

/** Nothing has come, and nothing is on its way. */
async function expectNothing(watcher: RawClient, base: string): Promise<void> {
  await publish(broker.tcp, `${base}/end`, "end");
  await watcher.expect("publish", { payload: "end" });
}

describe("when it is sent", () => {
  test("[MQTT-3.1.2-7] [MQTT-3.1.2-8] when the connection breaks", async () => {
    const { base, watcher } = await watch();
    const client = await RawClient.connected(broker.tcp, { will: will(`${base}/w`) });
    await expectNothing(watcher, base);
    client.transport.destroy();
    await watcher.expect("publish", { topic: `${base}/w`, payload: "gone", qos: 1 });
    await expectNothing(watcher, base);
  });

  test.each([3, 4] as const)(
    "when the connection of an MQTT 3 client breaks (level %i)",
    async (version) => {
      const { base, watcher } = await watch();
      const client = await RawClient.connected(broker.tcp, {
        version,
        clientId: fresh(),
        will: will(`${base}/w`, { qos: 2, retain: true }),
      });
      client.transport.destroy();
      await watcher.expect("publish", { payload: "gone", qos: 2, retain: true });
    },
  );

  test("[MQTT-3.14.4-3] [MQTT-3.1.2-10] not after DISCONNECT 0x00", async () => {
    const { base, watcher } = await watch();
    for (const version of [3, 4, 5] as const) {
      const client = await RawClient.connected(broker.tcp, {
        version,
        clientId: fresh(),
        will: will(`${base}/w`),
      });
      await client.disconnect();
    }
    await expectNothing(watcher, base);
  });

  test.each([0x04, 0x80, 0x93])(
    "after DISCONNECT with another reason code: %i",
    async (reasonCode) => {
      const { base, watcher } = await watch();
      const client = await RawClient.connected(broker.tcp, { will: will(`${base}/w`) });
      await client.disconnect({ reasonCode });
      await watcher.expect("publish", { payload: "gone" });
    },
  );

  test("[MQTT-3.1.2-22] when the keep alive has passed", async () => {
    const { base, watcher } = await watch();
    await RawClient.connected(broker.tcp, { keepalive: 1, will: will(`${base}/w`) });
    await watcher.expect("publish", { payload: "gone" });
  });

  test("when the client breaks the protocol", async () => {
    const { base, watcher } = await watch();
    const client = await RawClient.connected(broker.tcp, { will: will(`${base}/w`) });
    client.sendBytes("f0 00");
    await watcher.expect("publish", { payload: "gone" });
  });

  test("when another connection takes the session over", async () => {
    const { base, watcher } = await watch();
    const clientId = fresh();
    await RawClient.connected(broker.tcp, { clientId, will: will(`${base}/w`) });
    await RawClient.connected(broker.tcp, { clientId });
    await watcher.expect("publish", { payload: "gone" });
    await expectNothing(watcher, base);
  });

  test("never, where there is none", async () => {
    const { base, watcher } = await watch();
    const clientId = fresh();
    const first = await RawClient.connected(broker.tcp, { clientId, will: will(`${base}/w`) });
    await first.disconnect();
    const second = await RawClient.connected(broker.tcp, { clientId, clean: false });
    second.transport.destroy();
    await expectNothing(watcher, base);
  });

  test("a refused CONNECT leaves none", async () => {
    const { base, watcher } = await watch();
    const client = await RawClient.open(broker.tcp);
    await client.connect(
      { clientId: "x".repeat(2000), will: will(`${base}/w`) },
      { reasonCode: 0x85 },
    );
    await client.expectClosed();
    await expectNothing(watcher, base);
  });
});

describe("the delay", () => {
  const delayed = (base: string, willDelayInterval: number) =>
    will(`${base}/w`, { properties: { willDelayInterval } });

  test("[MQTT-3.1.2-8] it is sent when the Will Delay Interval has passed", async () => {
    const { base, watcher } = await watch();
    const client = await RawClient.connected(broker.tcp, {
      clientId: fresh(),
      properties: { sessionExpiryInterval: 600 },
      will: delayed(base, 1),
    });
    const start = performance.now();
    client.transport.destroy();
    await expectNothing(watcher, base);
    await watcher.expect("publish", { payload: "gone" });
    expect(performance.now() - start).toBeGreaterThan(950);
  });

  test("[MQTT-3.1.2-8] it is sent when the session ends, if that is earlier", async () => {
    const { base, watcher } = await watch();
    for (const sessionExpiryInterval of [0, 1]) {
      const client = await RawClient.connected(broker.tcp, {
        clientId: fresh(),
        properties: { sessionExpiryInterval },
        will: delayed(base, 600),
      });
      client.transport.destroy();
      await watcher.expect("publish", { payload: "gone" });
    }
  });

  test("a DISCONNECT that shortens the session makes its end the will's time", async () => {
    const { base, watcher } = await watch();
    const client = await RawClient.connected(broker.tcp, {
      clientId: fresh(),
      properties: { sessionExpiryInterval: 600 },
      will: delayed(base, 600),
    });
    await client.disconnect({ reasonCode: 0x04, properties: { sessionExpiryInterval: 0 } });
    await watcher.expect("publish", { payload: "gone" });
  });

  test("[MQTT-3.1.3-9] it is not sent to who comes back in time", async () => {
    const { base, watcher } = await watch();
    const fields = {
      clientId: fresh(),
      clean: false,
      properties: { sessionExpiryInterval: 600 },
    };
    const first = await RawClient.connected(broker.tcp, { ...fields, will: delayed(base, 1) });
    first.transport.destroy();
    await RawClient.connected(broker.tcp, fields);
    await secondPassed();
    await secondPassed();
    await expectNothing(watcher, base);
  });

  test("[MQTT-3.1.2-8] Clean Start ends the session, so the will is sent at once", async () => {
    const { base, watcher } = await watch();
    const fields = { clientId: fresh(), properties: { sessionExpiryInterval: 600 } };
    const first = await RawClient.connected(broker.tcp, { ...fields, will: delayed(base, 600) });
    first.transport.destroy();
    await RawClient.connected(broker.tcp, { ...fields, clean: true });
    await watcher.expect("publish", { payload: "gone" });
  });

  test("a takeover of the session within the delay does not send it; one without the session does", async () => {
    const { base, watcher } = await watch();
    const fields = { clientId: fresh(), properties: { sessionExpiryInterval: 600 } };
    await RawClient.connected(broker.tcp, { ...fields, will: delayed(base, 600) });
    await RawClient.connected(broker.tcp, { ...fields, clean: false, will: delayed(base, 600) });
    await expectNothing(watcher, base);
    await RawClient.connected(broker.tcp, { ...fields, clean: true });
    await watcher.expect("publish", { payload: "gone" });
    await expectNothing(watcher, base);
  });

  test("a delayed will outlives a restart of the broker", async () => {
    const base = fresh();
    const watcherFields = {
      clientId: fresh(),
      clean: false,
      properties: { sessionExpiryInterval: 600 },
    };
    const first = await RawClient.connected(broker.tcp, watcherFields);
    await first.subscribe(`${base}/#`, { qos: 1 });
    const client = await RawClient.connected(broker.tcp, {
      clientId: fresh(),
      properties: { sessionExpiryInterval: 600 },
      will: delayed(base, 2),
    });
    client.transport.destroy();
    await broker.restart();
    const again = await RawClient.connected(broker.tcp, watcherFields);
    await again.expect("publish", { topic: `${base}/w`, payload: "gone" });
  });
});

describe("what it is", () => {
  test("[MQTT-3.1.3-10] QoS and all properties of the will come with it", async () => {
    const { base, watcher } = await watch();
    const properties = {
      payloadFormatIndicator: true,
      messageExpiryInterval: 60,
      contentType: "text",
      responseTopic: "re",
      correlationData: Buffer.from([9]),
      userProperties: { a: ["1", "2"], b: "3" },
    };
    for (const qos of [0, 1, 2] as const) {
      const client = await RawClient.connected(broker.tcp, {
        will: will(`${base}/w`, { qos, properties }),
      });
      client.transport.destroy();
      const got = await watcher.find("publish", { qos, payload: "gone", properties });
      expect(got.properties).not.toHaveProperty("willDelayInterval");
    }
  });

  test("[MQTT-3.1.2-14] [MQTT-3.1.2-15] retained, or not", async () => {
    const { base, watcher } = await watch();
    for (const [name, retain] of [
      ["kept", true],
      ["passing", false],
    ] as const) {
      const client = await RawClient.connected(broker.tcp, {
        will: will(`${base}/${name}`, { retain }),
      });
      client.transport.destroy();
      await watcher.expect("publish", { topic: `${base}/${name}`, retain });
    }
    const other = await RawClient.connected(broker.tcp);
    expect(await retainedUnder(other, base)).toEqual([`${base}/kept`]);
  });

  test("the expiry of a will counts from when it is sent", async () => {
    const { base, watcher } = await watch();
    const client = await RawClient.connected(broker.tcp, {
      will: will(`${base}/w`, { properties: { messageExpiryInterval: 1 } }),
    });
    await secondPassed();
    client.transport.destroy();
    await watcher.expect("publish", { payload: "gone", properties: { messageExpiryInterval: 1 } });
  });

  test("an empty will is sent, and one for durable sessions waits for them", async () => {
    const { base, watcher } = await watch();
    const fields = { clientId: fresh(), clean: false, properties: { sessionExpiryInterval: 600 } };
    const durable = await RawClient.connected(broker.tcp, fields);
    await durable.subscribe(`${base}/w`, { qos: 1 });
    await durable.disconnect();
    const client = await RawClient.connected(broker.tcp, {
      will: will(`${base}/w`, { payload: Buffer.alloc(0) }),
    });
    client.transport.destroy();
    await watcher.expect("publish", { topic: `${base}/w`, payload: "" });
    const again = await RawClient.connected(broker.tcp, fields);
    await again.expect("publish", { topic: `${base}/w`, payload: "" });
  });

  test("a will for $SYS is refused: CONNACK 0x87", async () => {
    const client = await RawClient.open(broker.tcp);
    await client.connect({ will: will("$SYS/w") }, { reasonCode: 0x87 });
    await client.expectClosed();
  });

  test.each([["a/+"], ["#"]])("a wildcard in its topic is refused: %s", async (topic) => {
    const client = await RawClient.open(broker.tcp);
    await client.connect({ will: will(topic) }, { reasonCode: 0x90 });
    await client.expectClosed();
  });
});

test.each([4, 5] as const)("MQTT.js at v%i leaves a will", async (protocolVersion) => {
  const { base, watcher } = await watch();
  const client = await mqttJs(broker.url, {
    protocolVersion,
    will: { topic: `${base}/w`, payload: Buffer.from("gone"), qos: 1, retain: false },
  });
  client.stream.destroy();
  await watcher.expect("publish", { payload: "gone" });
});

test("mosquitto_pub leaves no will when it ends in order", async () => {
  const { base, watcher } = await watch();
  const args = [
    "-h",
    broker.tcp.host,
    "-p",
    `${broker.tcp.port}`,
    "-V",
    "mqttv5",
    "-t",
    `${base}/m`,
  ];
  const done = await mosquittoPub([
    ...args,
    "-m",
    "x",
    "--will-topic",
    `${base}/w`,
    "--will-payload",
    "gone",
  ]);
  expect(done.code).toBe(0);
  await watcher.expect("publish", { payload: "x" });
  await expectNothing(watcher, base);
});
