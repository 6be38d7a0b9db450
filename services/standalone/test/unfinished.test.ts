import { type PacketOf, RawClient, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { acknowledge, fresh, lasting, publish, secondPassed, sessionsOf } from "./support.ts";
import { sharedTarget } from "./target.ts";

const broker = sharedTarget();
const expectSession = sessionsOf(broker);

describe("unfinished deliveries", () => {
  test("[MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1] [MQTT-4.3.2-3] QoS 1: again with DUP, identifiers and order", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false);
    await first.subscribe(topic, { qos: 1 });
    const ids: unknown[] = [];
    for (let i = 0; i < 5; i++) {
      await publish(broker.tcp, topic, `${i}`);
      const { messageId = 0 } = await first.expect("publish", { payload: `${i}`, dup: false });
      if (i === 2) acknowledge(first, "puback", messageId);
      else ids.push(messageId);
    }
    await first.expectQuiet();
    first.transport.destroy();
    const second = await expectSession(clientId, true);
    for (const i of [0, 1, 3, 4]) {
      await second.expect("publish", { payload: `${i}`, dup: true, messageId: ids.shift() });
    }
    await second.expectQuiet();
  });

  test("[MQTT-4.3.3-3] [MQTT-4.3.3-5] QoS 2 in each state: PUBLISH again, or PUBREL again", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false);
    await first.subscribe(topic, { qos: 2 });
    const ids: number[] = [];
    for (const text of ["sent", "received", "complete", "sent too"]) {
      await publish(broker.tcp, topic, text, { qos: 2 });
      ids.push((await first.expect("publish", { payload: text, dup: false })).messageId ?? 0);
    }
    const [sent, received, complete, sentToo] = ids as [number, number, number, number];
    for (const messageId of [received, complete]) {
      acknowledge(first, "pubrec", messageId);
      await first.expect("pubrel", { messageId });
    }
    acknowledge(first, "pubcomp", complete);
    await first.expectQuiet();
    first.transport.destroy();
    for (let round = 0; round < 2; round++) {
      const again = await expectSession(clientId, true);
      await again.find("publish", { payload: "sent", dup: true, messageId: sent });
      await again.find("publish", { payload: "sent too", dup: true, messageId: sentToo });
      await again.find("pubrel", { messageId: received });
      await again.expectQuiet();
      again.transport.destroy();
    }
    const last = await expectSession(clientId, true);
    last.acknowledge = true;
    for (const messageId of [received, sent, sentToo]) await last.find("pubrel", { messageId });
    await last.find("publish", { payload: "sent" });
    await last.find("publish", { payload: "sent too" });
    await publish(broker.tcp, topic, "after", { qos: 2 });
    const { messageId } = await last.find("publish", { payload: "after", dup: false });
    expect(messageId).toBeGreaterThan(0);
    await last.find("pubrel", { messageId });
    await last.disconnect();
    const empty = await expectSession(clientId, true);
    await empty.expectQuiet();
  });

  test("[MQTT-4.4.0-1] nothing is sent again while a connection lasts", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const client = await expectSession(clientId, false);
    await client.subscribe(topic, { qos: 2 });
    await publish(broker.tcp, topic, "x", { qos: 2 });
    await client.expect("publish", { dup: false });
    await secondPassed();
    await client.subscribe(topic, { qos: 2 });
    await client.expectQuiet();
  });

  test("[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] a smaller Receive Maximum at the resumption holds", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false);
    await first.subscribe(topic, { qos: 2 });
    for (let i = 0; i < 8; i++) {
      await publish(broker.tcp, topic, `${i}`, { qos: i % 2 === 0 ? 1 : 2 });
      await first.expect("publish", { payload: `${i}` });
    }
    first.transport.destroy();
    await publish(broker.tcp, topic, "8");
    const second = await expectSession(clientId, true, {
      properties: { ...lasting, receiveMaximum: 3 },
    });
    let inFlight: number[] = [];
    const seen: string[] = [];
    for (let i = 0; i < 9; i++) {
      const got = await second.find("publish", { dup: i < 8 });
      seen.push(String(got.payload));
      inFlight.push(got.messageId ?? 0);
      expect(inFlight.length).toBeLessThanOrEqual(3);
      if (inFlight.length < 3 && i < 8) continue;
      expect(second.waiting.filter(({ cmd }) => cmd === "publish")).toEqual([]);
      const messageId = inFlight[0] ?? 0;
      inFlight = inFlight.slice(1);
      acknowledge(second, "puback", messageId);
      if (inFlight.length === 0) continue;
      acknowledge(second, "pubrec", messageId);
      await second.find("pubrel", { messageId });
      acknowledge(second, "pubcomp", messageId);
    }
    expect(seen).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
  });

  test("[MQTT-3.10.4-3] an unsubscribed filter's unfinished deliveries are completed after a resumption", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false);
    await first.subscribe(topic, { qos: 2 });
    await publish(broker.tcp, topic, "one", { qos: 1 });
    await publish(broker.tcp, topic, "two", { qos: 2 });
    const one = await first.expect("publish", { payload: "one" });
    const two = await first.expect("publish", { payload: "two" });
    await first.unsubscribe(topic);
    await first.disconnect();
    await publish(broker.tcp, topic, "not for it");
    const second = await expectSession(clientId, true);
    second.acknowledge = true;
    await second.expect("publish", { payload: "one", dup: true, messageId: one.messageId });
    await second.expect("publish", { payload: "two", dup: true, messageId: two.messageId });
    await second.expect("pubrel", { messageId: two.messageId });
    await second.disconnect();
    const third = await expectSession(clientId, true);
    await third.expectQuiet();
  });

  test("a message that expired in flight is sent again without an expiry below zero, or not at all", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const first = await expectSession(clientId, false);
    await first.subscribe(topic, { qos: 2 });
    const properties = { messageExpiryInterval: 1 };
    await publish(broker.tcp, topic, "begun", { qos: 2, properties });
    const { messageId } = await first.expect("publish", { payload: "begun" });
    first.transport.destroy();
    await secondPassed();
    await secondPassed();
    const second = await expectSession(clientId, true);
    const again = await waitFor(() => second.waiting[0]);
    await second.find(again.cmd, { messageId });
    const { properties: left } = again as PacketOf<"publish">;
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
    const first = await expectSession(clientId, false);
    first.sendPublish(topic, "once", { qos: 2, messageId: 9 });
    await first.expect("pubrec", { messageId: 9 });
    first.transport.destroy();
    for (let round = 0; round < 2; round++) {
      const again = await expectSession(clientId, true);
      again.sendPublish(topic, "once", { qos: 2, messageId: 9, dup: true });
      await again.expect("pubrec", { messageId: 9, reasonCode: 0 });
      again.transport.destroy();
    }
    const last = await expectSession(clientId, true);
    acknowledge(last, "pubrel", 9);
    await last.expect("pubcomp", { messageId: 9, reasonCode: 0 });
    acknowledge(last, "pubrel", 9);
    await last.expect("pubcomp", { messageId: 9 });
    await last.publish(topic, "twice", { qos: 2, messageId: 9 });
    await subscriber.expect("publish", { payload: "once" });
    await subscriber.expect("publish", { payload: "twice" });
  });

  test("[MQTT-3.1.2-4] Clean Start forgets receipts", async () => {
    const [clientId, topic] = [fresh("c"), fresh()];
    const subscriber = await RawClient.connected(broker.tcp);
    await subscriber.subscribe(topic, { qos: 0 });
    const first = await expectSession(clientId, false);
    first.sendPublish(topic, "one", { qos: 2, messageId: 9 });
    await first.expect("pubrec", { messageId: 9 });
    first.transport.destroy();
    const second = await expectSession(clientId, false, { clean: true });
    second.sendPublish(topic, "two", { qos: 2, messageId: 9 });
    await second.expect("pubrec", { messageId: 9 });
    await subscriber.expect("publish", { payload: "one" });
    await subscriber.expect("publish", { payload: "two" });
  });
});
