import { mosquittoPub, mosquittoSub, RawClient, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import {
  acknowledge,
  fresh,
  lasting,
  packet,
  publish,
  secondPassed,
  sessionsOf,
  utf8,
} from "./support.ts";
import { sharedTarget } from "./target.ts";

const broker = sharedTarget();

const expectSession = sessionsOf(broker);

describe("sessions", () => {
  test("[MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.2.2-3] Clean Start 0 makes a session, and resumes it", async () => {
    const clientId = fresh("c");
    const first = await expectSession(clientId, false);
    await first.disconnect();
    await expectSession(clientId, true);
  });

  test("[MQTT-3.1.2-4] [MQTT-3.2.2-2] [MQTT-3.1.4-4] Clean Start 1 discards the session", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false);
    await first.subscribe(topic, { qos: 1 });
    await publish(broker.tcp, topic, "in flight");
    await first.expect("publish", { payload: "in flight" });
    await first.disconnect();
    await publish(broker.tcp, topic, "old");
    const second = await expectSession(clientId, false, { clean: true });
    await publish(broker.tcp, topic, "new");
    await second.expectQuiet();
    await second.disconnect();
    const third = await expectSession(clientId, true);
    await third.expectQuiet();
  });

  test("[MQTT-4.1.0-2] without an expiry interval the session ends with its connection", async () => {
    const clientId = fresh("c");
    const first = await expectSession(clientId, false, { properties: {} });
    await first.disconnect();
    await expectSession(clientId, false);
  });

  test("[MQTT-3.1.2-23] the session outlasts a connection that breaks", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false);
    await first.subscribe(topic, { qos: 1 });
    first.transport.destroy();
    await publish(broker.tcp, topic, "kept");
    const second = await expectSession(clientId, true);
    await second.expect("publish", { payload: "kept" });
  });

  test("[MQTT-4.1.0-2] the session ends when its expiry interval has passed", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false, {
      properties: { sessionExpiryInterval: 1 },
    });
    await first.subscribe(topic, { qos: 1 });
    await first.disconnect();
    await publish(broker.tcp, topic, "x");
    // to ask for it would keep it: the reason code tells when nobody subscribes any more
    const publisher = await RawClient.connected(broker.tcp);
    await waitFor(async () => {
      const puback = await publisher.publish(topic, "still there?", { qos: 1 });
      return puback?.reasonCode === 0x10;
    });
    const second = await expectSession(clientId, false);
    await second.expectQuiet();
  });

  test("[MQTT-4.1.0-1] an expiry interval does not run while the client is connected", async () => {
    const clientId = fresh("c");
    const first = await expectSession(clientId, false, {
      properties: { sessionExpiryInterval: 1 },
    });
    await secondPassed();
    await first.disconnect();
    await expectSession(clientId, true);
  });

  test("DISCONNECT changes the expiry interval", async () => {
    const [shorter, longer] = [fresh("c"), fresh("c")];
    const one = await expectSession(shorter, false);
    await one.disconnect({ properties: { sessionExpiryInterval: 0 } });
    await expectSession(shorter, false);
    const two = await expectSession(longer, false, { properties: { sessionExpiryInterval: 1 } });
    await two.disconnect({ properties: { sessionExpiryInterval: 600 } });
    await secondPassed();
    await secondPassed();
    await expectSession(longer, true);
  });

  test("a session that was to end with its connection can't be made to last", async () => {
    const clientId = fresh("c");
    const client = await expectSession(clientId, false, {
      properties: { sessionExpiryInterval: 0 },
    });
    client.send({
      cmd: "disconnect",
      reasonCode: 0,
      properties: { sessionExpiryInterval: 10 },
    });
    await client.expect("disconnect", { reasonCode: 0x82 });
    await client.expectClosed();
    await expectSession(clientId, false);
  });

  test("a resumed session may end with its connection, by an interval of 0", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false);
    await first.subscribe(topic, { qos: 1 });
    await first.disconnect();
    await publish(broker.tcp, topic, "kept");
    const second = await expectSession(clientId, true, { properties: {} });
    await second.expect("publish", { payload: "kept" });
    await second.disconnect();
    await expectSession(clientId, false);
  });

  test("clean session 0 of MQTT 3.1.1 and 3.1 is kept, 1 is not", async () => {
    for (const version of [3, 4] as const) {
      const [clientId, topic] = [fresh("c"), fresh()];
      const first = await RawClient.connected(broker.tcp, { version, clientId, clean: false });
      await first.subscribe(topic, { qos: 1 });
      await first.disconnect();
      await publish(broker.tcp, topic, "kept");
      const second = await RawClient.open(broker.tcp, { version });
      await second.connect({ clientId, clean: false }, { sessionPresent: version === 4 });
      await second.expect("publish", { payload: "kept", dup: false });
      await second.disconnect();
      const third = await RawClient.open(broker.tcp, { version });
      await third.connect({ clientId, clean: true }, { sessionPresent: false });
      await third.disconnect();
      const fourth = await RawClient.open(broker.tcp, { version });
      await fourth.connect({ clientId, clean: false }, { sessionPresent: false });
      await fourth.expectQuiet();
    }
  });

  test("a session is the same for clients of all versions", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await RawClient.connected(broker.tcp, { version: 4, clientId, clean: false });
    await first.subscribe(topic, { qos: 1 });
    await first.disconnect();
    await publish(broker.tcp, topic, "kept");
    const second = await expectSession(clientId, true);
    await second.expect("publish", { payload: "kept" });
  });
});

describe("the queue of a session", () => {
  test("[MQTT-4.5.0-1] what comes while the client is away waits, in order, at its QoS", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false);
    await first.subscribe(topic, { qos: 2, properties: { subscriptionIdentifier: 5 } });
    await first.disconnect();
    const publisher = await RawClient.connected(broker.tcp);
    for (let i = 0; i < 300; i++) {
      const qos = (1 + (i % 2)) as 1 | 2;
      await publisher.publish(topic, `${i}`, { qos, properties: { contentType: "n" } });
    }
    const second = await expectSession(clientId, true);
    second.acknowledge = true;
    for (let i = 0; i < 300; i++) {
      await second.find("publish", {
        payload: `${i}`,
        qos: 1 + (i % 2),
        dup: false,
        properties: { subscriptionIdentifier: 5, contentType: "n" },
      });
    }
    await publish(broker.tcp, topic, "live");
    await second.find("publish", { payload: "live" });
    expect(second.waiting.filter(({ cmd }) => cmd === "publish")).toEqual([]);
  });

  test("many topics under a wildcard come once each, in the order of each topic", async () => {
    const [clientId, base] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false);
    await first.subscribe(`${base}/#`, { qos: 1 });
    await first.subscribe(`${base}/+/x`, { qos: 1 });
    await first.disconnect();
    const publisher = await RawClient.connected(broker.tcp);
    for (let i = 0; i < 200; i++) {
      publisher.sendPublish(`${base}/${i % 10}/x`, `${i}`, { qos: 1 });
    }
    for (let i = 0; i < 200; i++) await publisher.expect("puback", { reasonCode: 0 });
    const second = await expectSession(clientId, true);
    second.acknowledge = true;
    const last = new Map<string, number>();
    for (let i = 0; i < 200; i++) {
      const { topic, payload } = await second.expect("publish");
      expect(Number(payload)).toBeGreaterThan(last.get(topic) ?? -1);
      last.set(topic, Number(payload));
    }
    await second.expectQuiet();
  });

  test("[MQTT-3.8.4-3] a subscription that is replaced keeps its queue", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false, {
      properties: { ...lasting, receiveMaximum: 1 },
    });
    await first.subscribe(topic, { qos: 1 });
    for (const text of ["1", "2", "3"]) await publish(broker.tcp, topic, text);
    const one = await first.expect("publish", { payload: "1" });
    await first.subscribe(topic, { qos: 2, properties: { subscriptionIdentifier: 9 } });
    acknowledge(first, "puback", one.messageId);
    await first.expect("publish", { payload: "2" });
    await first.disconnect();
    const second = await expectSession(clientId, true);
    await second.expect("publish", { payload: "2", dup: true });
    await second.expect("publish", { payload: "3", properties: { subscriptionIdentifier: 9 } });
  });

  test("a subscription that goes down to QoS 0 still gets its queue", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false, {
      properties: { ...lasting, receiveMaximum: 1 },
    });
    await first.subscribe(topic, { qos: 1 });
    for (const text of ["1", "2", "3"]) await publish(broker.tcp, topic, text);
    const one = await first.expect("publish", { payload: "1" });
    await first.subscribe(topic, { qos: 0 });
    acknowledge(first, "puback", one.messageId);
    for (const text of ["2", "3"]) {
      const { qos, messageId = 0 } = await first.expect("publish", { payload: text });
      if (qos > 0) acknowledge(first, "puback", messageId);
    }
    await publish(broker.tcp, topic, "4");
    await first.expect("publish", { payload: "4", qos: 0 });
  });

  test("messages of QoS 0 are not kept", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false);
    await first.subscribe(topic, { qos: 1 });
    await first.disconnect();
    await publish(broker.tcp, topic, "gone", { qos: 0 });
    await publish(broker.tcp, topic, "kept");
    const second = await expectSession(clientId, true);
    await second.expect("publish", { payload: "kept" });
    await second.expectQuiet();
  });

  test("messages that were there before the subscription do not come", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const other = await expectSession(fresh("c"), false);
    await other.subscribe(topic, { qos: 1 });
    await publish(broker.tcp, topic, "before");
    const client = await expectSession(clientId, false);
    await client.subscribe(topic, { qos: 1 });
    await publish(broker.tcp, topic, "after");
    await client.expect("publish", { payload: "after" });
  });

  test("mosquitto_sub -c gets what it missed", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const where = ["-h", broker.tcp.host, "-p", `${broker.tcp.port}`];
    for (const [i, version] of [
      ["-V", "311"],
      ["-V", "mqttv5", "-x", "600"],
    ].entries()) {
      const args = [...where, ...version, "-i", `${clientId}-${i}`, "-c", "-q", "2", "-t", topic];
      const first = await mosquittoSub(args);
      await first.stop();
      await mosquittoPub([...where, "-t", topic, "-m", "missed", "-q", "2"]);
      const second = await mosquittoSub(args);
      expect(await second.waitFor(1)).toEqual(["missed"]);
    }
  });
});

test("sessions outlive a restart of the broker: queue, identifiers, receipts, subscriptions", async () => {
  const [clientId, topic] = [fresh("c"), fresh()];
  const first = await expectSession(clientId, false);
  await first.subscribe(topic, { qos: 2, properties: { subscriptionIdentifier: 77 } });
  await publish(broker.tcp, topic, "sent", { qos: 2 });
  const { messageId } = await first.expect("publish", { payload: "sent" });
  first.sendPublish(`${topic}/x`, "receipt", { qos: 2, messageId: 21 });
  await first.expect("pubrec", { messageId: 21 });
  const farewell = first.find("disconnect", { reasonCode: 0x8b });
  await broker.restart();
  await farewell;
  await publish(broker.tcp, topic, "queued", { qos: 1 });
  const second = await expectSession(clientId, true);
  await second.expect("publish", {
    payload: "sent",
    dup: true,
    messageId,
    properties: { subscriptionIdentifier: 77 },
  });
  await second.expect("publish", { payload: "queued", dup: false });
  acknowledge(second, "pubrel", 21);
  await second.expect("pubcomp", { messageId: 21, reasonCode: 0 });
  second.sendBytes(packet(0xc0));
  await second.expect("pingresp");
  second.sendBytes(packet(0x30, utf8(topic), [0]));
  await second.expect("publish", { qos: 0, properties: { subscriptionIdentifier: 77 } });
});
