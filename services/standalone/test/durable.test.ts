import {
  type ConnectFields,
  mosquittoPub,
  mosquittoSub,
  RawClient,
  waitFor,
} from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { fresh, packet, publish, secondPassed, sharedBroker, utf8 } from "./support.ts";

const broker = sharedBroker();
const lasting = { sessionExpiryInterval: 600 };

/** Connects to the session of this client identifier, which must be there or not. */
async function resume(
  clientId: string,
  sessionPresent: boolean,
  fields: ConnectFields = {},
): Promise<RawClient> {
  const client = await RawClient.open(broker.tcp);
  await client.connect(
    { clientId, clean: false, properties: lasting, ...fields },
    { sessionPresent },
  );
  return client;
}

describe("sessions", () => {
  test("[MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.2.2-3] Clean Start 0 makes a session, and resumes it", async () => {
    const clientId = fresh("c");
    const first = await resume(clientId, false);
    await first.disconnect();
    await resume(clientId, true);
  });

  test("[MQTT-3.1.2-4] [MQTT-3.2.2-2] [MQTT-3.1.4-4] Clean Start 1 discards the session", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false);
    await first.subscribe(topic, { qos: 1 });
    await publish(broker.tcp, topic, "in flight");
    await first.expect("publish", { payload: "in flight" });
    await first.disconnect();
    await publish(broker.tcp, topic, "old");
    const second = await resume(clientId, false, { clean: true });
    await publish(broker.tcp, topic, "new");
    await second.expectQuiet();
    await second.disconnect();
    const third = await resume(clientId, true);
    await third.expectQuiet();
  });

  test("[MQTT-4.1.0-2] without an expiry interval the session ends with its connection", async () => {
    const clientId = fresh("c");
    const first = await resume(clientId, false, { properties: {} });
    await first.disconnect();
    await resume(clientId, false);
  });

  test("[MQTT-3.1.2-23] the session outlasts a connection that breaks", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false);
    await first.subscribe(topic, { qos: 1 });
    first.transport.destroy();
    await publish(broker.tcp, topic, "kept");
    const second = await resume(clientId, true);
    await second.expect("publish", { payload: "kept" });
  });

  test("[MQTT-4.1.0-2] the session ends when its expiry interval has passed", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false, { properties: { sessionExpiryInterval: 1 } });
    await first.subscribe(topic, { qos: 1 });
    await first.disconnect();
    await publish(broker.tcp, topic, "x");
    // to ask for it would keep it: the reason code tells when nobody subscribes any more
    const publisher = await RawClient.connected(broker.tcp);
    await waitFor(async () => {
      const puback = await publisher.publish(topic, "still there?", { qos: 1 });
      return puback?.reasonCode === 0x10;
    });
    const second = await resume(clientId, false);
    await second.expectQuiet();
  });

  test("[MQTT-4.1.0-1] an expiry interval does not run while the client is connected", async () => {
    const clientId = fresh("c");
    const first = await resume(clientId, false, { properties: { sessionExpiryInterval: 1 } });
    await secondPassed(broker.tcp);
    await first.disconnect();
    await resume(clientId, true);
  });

  test("DISCONNECT changes the expiry interval", async () => {
    const [shorter, longer] = [fresh("c"), fresh("c")];
    const one = await resume(shorter, false);
    await one.disconnect({ properties: { sessionExpiryInterval: 0 } });
    await resume(shorter, false);
    const two = await resume(longer, false, { properties: { sessionExpiryInterval: 1 } });
    await two.disconnect({ properties: { sessionExpiryInterval: 600 } });
    await secondPassed(broker.tcp);
    await secondPassed(broker.tcp);
    await resume(longer, true);
  });

  test("a session that was to end with its connection can't be made to last", async () => {
    const clientId = fresh("c");
    const client = await resume(clientId, false, { properties: { sessionExpiryInterval: 0 } });
    client.send({
      cmd: "disconnect",
      reasonCode: 0,
      properties: { sessionExpiryInterval: 10 },
    });
    await client.expect("disconnect", { reasonCode: 0x82 });
    await client.expectClosed();
    await resume(clientId, false);
  });

  test("a resumed session may end with its connection, by an interval of 0", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false);
    await first.subscribe(topic, { qos: 1 });
    await first.disconnect();
    await publish(broker.tcp, topic, "kept");
    const second = await resume(clientId, true, { properties: {} });
    await second.expect("publish", { payload: "kept" });
    await second.disconnect();
    await resume(clientId, false);
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
    const second = await resume(clientId, true);
    await second.expect("publish", { payload: "kept" });
  });
});

describe("the queue of a session", () => {
  test("[MQTT-4.5.0-1] what comes while the client is away waits, in order, at its QoS", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false);
    await first.subscribe(topic, { qos: 2, properties: { subscriptionIdentifier: 5 } });
    await first.disconnect();
    const publisher = await RawClient.connected(broker.tcp);
    for (let i = 0; i < 300; i++) {
      const qos = (1 + (i % 2)) as 1 | 2;
      await publisher.publish(topic, `${i}`, { qos, properties: { contentType: "n" } });
    }
    const second = await resume(clientId, true);
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
    const first = await resume(clientId, false);
    await first.subscribe(`${base}/#`, { qos: 1 });
    await first.subscribe(`${base}/+/x`, { qos: 1 });
    await first.disconnect();
    const publisher = await RawClient.connected(broker.tcp);
    for (let i = 0; i < 200; i++) {
      publisher.sendPublish(`${base}/${i % 10}/x`, `${i}`, { qos: 1 });
    }
    for (let i = 0; i < 200; i++) await publisher.expect("puback", { reasonCode: 0 });
    const second = await resume(clientId, true);
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
    const first = await resume(clientId, false, { properties: { ...lasting, receiveMaximum: 1 } });
    await first.subscribe(topic, { qos: 1 });
    for (const text of ["1", "2", "3"]) await publish(broker.tcp, topic, text);
    const one = await first.expect("publish", { payload: "1" });
    await first.subscribe(topic, { qos: 2, properties: { subscriptionIdentifier: 9 } });
    first.send({ cmd: "puback", messageId: one.messageId ?? 0 });
    await first.expect("publish", { payload: "2" });
    await first.disconnect();
    const second = await resume(clientId, true);
    await second.expect("publish", { payload: "2", dup: true });
    await second.expect("publish", { payload: "3", properties: { subscriptionIdentifier: 9 } });
  });

  test("a subscription that goes down to QoS 0 still gets its queue", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false, { properties: { ...lasting, receiveMaximum: 1 } });
    await first.subscribe(topic, { qos: 1 });
    for (const text of ["1", "2", "3"]) await publish(broker.tcp, topic, text);
    const one = await first.expect("publish", { payload: "1" });
    await first.subscribe(topic, { qos: 0 });
    first.send({ cmd: "puback", messageId: one.messageId ?? 0 });
    for (const text of ["2", "3"]) {
      const { qos, messageId = 0 } = await first.expect("publish", { payload: text });
      if (qos > 0) first.send({ cmd: "puback", messageId });
    }
    await publish(broker.tcp, topic, "4");
    await first.expect("publish", { payload: "4", qos: 0 });
  });

  test("messages of QoS 0 are not kept", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false);
    await first.subscribe(topic, { qos: 1 });
    await first.disconnect();
    await publish(broker.tcp, topic, "gone", { qos: 0 });
    await publish(broker.tcp, topic, "kept");
    const second = await resume(clientId, true);
    await second.expect("publish", { payload: "kept" });
    await second.expectQuiet();
  });

  test("messages that were there before the subscription do not come", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const other = await resume(fresh("c"), false);
    await other.subscribe(topic, { qos: 1 });
    await publish(broker.tcp, topic, "before");
    const client = await resume(clientId, false);
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

describe("unfinished deliveries", () => {
  test("[MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1] [MQTT-4.3.2-3] QoS 1: again with DUP, identifiers and order", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false);
    await first.subscribe(topic, { qos: 1 });
    const ids: unknown[] = [];
    for (let i = 0; i < 5; i++) {
      await publish(broker.tcp, topic, `${i}`);
      const { messageId = 0 } = await first.expect("publish", { payload: `${i}`, dup: false });
      if (i === 2) first.send({ cmd: "puback", messageId });
      else ids.push(messageId);
    }
    await first.expectQuiet();
    first.transport.destroy();
    const second = await resume(clientId, true);
    for (const i of [0, 1, 3, 4]) {
      await second.expect("publish", { payload: `${i}`, dup: true, messageId: ids.shift() });
    }
    await second.expectQuiet();
  });

  test("[MQTT-4.3.3-3] [MQTT-4.3.3-5] QoS 2 in each state: PUBLISH again, or PUBREL again", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false);
    await first.subscribe(topic, { qos: 2 });
    const ids: number[] = [];
    for (const text of ["sent", "received", "complete", "sent too"]) {
      await publish(broker.tcp, topic, text, { qos: 2 });
      ids.push((await first.expect("publish", { payload: text, dup: false })).messageId ?? 0);
    }
    const [sent, received, complete, sentToo] = ids as [number, number, number, number];
    for (const messageId of [received, complete]) {
      first.send({ cmd: "pubrec", messageId });
      await first.expect("pubrel", { messageId });
    }
    first.send({ cmd: "pubcomp", messageId: complete });
    await first.expectQuiet();
    first.transport.destroy();
    for (let round = 0; round < 2; round++) {
      const again = await resume(clientId, true);
      await again.find("publish", { payload: "sent", dup: true, messageId: sent });
      await again.find("publish", { payload: "sent too", dup: true, messageId: sentToo });
      await again.find("pubrel", { messageId: received });
      await again.expectQuiet();
      again.transport.destroy();
    }
    const last = await resume(clientId, true);
    last.acknowledge = true;
    for (const messageId of [received, sent, sentToo]) await last.find("pubrel", { messageId });
    await last.find("publish", { payload: "sent" });
    await last.find("publish", { payload: "sent too" });
    await publish(broker.tcp, topic, "after", { qos: 2 });
    const { messageId } = await last.find("publish", { payload: "after", dup: false });
    expect(messageId).toBeGreaterThan(0);
    await last.find("pubrel", { messageId });
    await last.disconnect();
    const empty = await resume(clientId, true);
    await empty.expectQuiet();
  });

  test("[MQTT-4.4.0-1] nothing is sent again while a connection lasts", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const client = await resume(clientId, false);
    await client.subscribe(topic, { qos: 2 });
    await publish(broker.tcp, topic, "x", { qos: 2 });
    await client.expect("publish", { dup: false });
    await secondPassed(broker.tcp);
    await client.subscribe(topic, { qos: 2 });
    await client.expectQuiet();
  });

  test("[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] a smaller Receive Maximum at the resumption holds", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false);
    await first.subscribe(topic, { qos: 2 });
    for (let i = 0; i < 8; i++) {
      await publish(broker.tcp, topic, `${i}`, { qos: i % 2 === 0 ? 1 : 2 });
      await first.expect("publish", { payload: `${i}` });
    }
    first.transport.destroy();
    await publish(broker.tcp, topic, "8");
    const second = await resume(clientId, true, { properties: { ...lasting, receiveMaximum: 3 } });
    let inFlight: number[] = [];
    const seen: string[] = [];
    for (let i = 0; i < 9; i++) {
      const got = await second.find("publish", { dup: i < 8 });
      seen.push(`${got.payload}`);
      inFlight.push(got.messageId ?? 0);
      expect(inFlight.length).toBeLessThanOrEqual(3);
      if (inFlight.length < 3 && i < 8) continue;
      expect(second.waiting.filter(({ cmd }) => cmd === "publish")).toEqual([]);
      const messageId = inFlight[0] ?? 0;
      inFlight = inFlight.slice(1);
      second.send({ cmd: "puback", messageId });
      if (inFlight.length === 0) continue;
      second.send({ cmd: "pubrec", messageId });
      await second.find("pubrel", { messageId });
      second.send({ cmd: "pubcomp", messageId });
    }
    expect(seen).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
  });

  test("[MQTT-3.10.4-3] an unsubscribed filter's unfinished deliveries are completed after a resumption", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false);
    await first.subscribe(topic, { qos: 2 });
    await publish(broker.tcp, topic, "one", { qos: 1 });
    await publish(broker.tcp, topic, "two", { qos: 2 });
    const one = await first.expect("publish", { payload: "one" });
    const two = await first.expect("publish", { payload: "two" });
    await first.unsubscribe(topic);
    await first.disconnect();
    await publish(broker.tcp, topic, "not for it");
    const second = await resume(clientId, true);
    second.acknowledge = true;
    await second.expect("publish", { payload: "one", dup: true, messageId: one.messageId });
    await second.expect("publish", { payload: "two", dup: true, messageId: two.messageId });
    await second.expect("pubrel", { messageId: two.messageId });
    await second.disconnect();
    const third = await resume(clientId, true);
    await third.expectQuiet();
  });

  test("a message that expired in flight is sent again without an expiry below zero, or not at all", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await resume(clientId, false);
    await first.subscribe(topic, { qos: 2 });
    const properties = { messageExpiryInterval: 1 };
    await publish(broker.tcp, topic, "begun", { qos: 2, properties });
    const { messageId } = await first.expect("publish", { payload: "begun" });
    first.transport.destroy();
    await secondPassed(broker.tcp);
    await secondPassed(broker.tcp);
    const second = await resume(clientId, true);
    const again = await waitFor(() => second.waiting[0]);
    await second.find(again.cmd, { messageId });
    const left = again.properties as { messageExpiryInterval?: number } | undefined;
    expect(left?.messageExpiryInterval ?? 0).toBeLessThanOrEqual(1);
    await publish(broker.tcp, topic, "next");
    await second.expect("publish", { payload: "next" });
  });
});

describe("receipts of QoS 2 from the client", () => {
  test("[MQTT-4.3.3-10] a PUBLISH repeated on a new connection is not delivered again", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const subscriber = await RawClient.connected(broker.tcp);
    await subscriber.subscribe(topic, { qos: 0 });
    const first = await resume(clientId, false);
    first.sendPublish(topic, "once", { qos: 2, messageId: 9 });
    await first.expect("pubrec", { messageId: 9 });
    first.transport.destroy();
    for (let round = 0; round < 2; round++) {
      const again = await resume(clientId, true);
      again.sendPublish(topic, "once", { qos: 2, messageId: 9, dup: true });
      await again.expect("pubrec", { messageId: 9, reasonCode: 0 });
      again.transport.destroy();
    }
    const last = await resume(clientId, true);
    last.send({ cmd: "pubrel", messageId: 9 });
    await last.expect("pubcomp", { messageId: 9, reasonCode: 0 });
    last.send({ cmd: "pubrel", messageId: 9 });
    await last.expect("pubcomp", { messageId: 9 });
    await last.publish(topic, "twice", { qos: 2, messageId: 9 });
    await subscriber.expect("publish", { payload: "once" });
    await subscriber.expect("publish", { payload: "twice" });
  });

  test("[MQTT-3.1.2-4] Clean Start forgets receipts", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const subscriber = await RawClient.connected(broker.tcp);
    await subscriber.subscribe(topic, { qos: 0 });
    const first = await resume(clientId, false);
    first.sendPublish(topic, "one", { qos: 2, messageId: 9 });
    await first.expect("pubrec", { messageId: 9 });
    first.transport.destroy();
    const second = await resume(clientId, false, { clean: true });
    second.sendPublish(topic, "two", { qos: 2, messageId: 9 });
    await second.expect("pubrec", { messageId: 9 });
    await subscriber.expect("publish", { payload: "one" });
    await subscriber.expect("publish", { payload: "two" });
  });
});

test("sessions outlive a restart of the broker: queue, identifiers, receipts, subscriptions", async () => {
  const [clientId, topic] = [fresh("c"), fresh()];
  const first = await resume(clientId, false);
  await first.subscribe(topic, { qos: 2, properties: { subscriptionIdentifier: 77 } });
  await publish(broker.tcp, topic, "sent", { qos: 2 });
  const { messageId } = await first.expect("publish", { payload: "sent" });
  first.sendPublish(`${topic}/x`, "receipt", { qos: 2, messageId: 21 });
  await first.expect("pubrec", { messageId: 21 });
  const farewell = first.find("disconnect", { reasonCode: 0x8b });
  await broker.restart();
  await farewell;
  await publish(broker.tcp, topic, "queued", { qos: 1 });
  const second = await resume(clientId, true);
  await second.expect("publish", {
    payload: "sent",
    dup: true,
    messageId,
    properties: { subscriptionIdentifier: 77 },
  });
  await second.expect("publish", { payload: "queued", dup: false });
  second.send({ cmd: "pubrel", messageId: 21 });
  await second.expect("pubcomp", { messageId: 21, reasonCode: 0 });
  second.sendBytes(packet(0xc0));
  await second.expect("pingresp");
  second.sendBytes(packet(0x30, utf8(topic), [0]));
  await second.expect("publish", { qos: 0, properties: { subscriptionIdentifier: 77 } });
});
