import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { RawClient, startBroker, waitFor } from "@canopy/testkit";
import { describe, expect, test } from "vitest";

const durable = { clean: false, properties: { sessionExpiryInterval: 3600 } };

describe.each(["kill -9", "SIGTERM"])("after %s", (how) => {
  const crash = async (broker: Awaited<ReturnType<typeof startBroker>>): Promise<void> => {
    if (how === "kill -9") await broker.kill9();
    else expect(await broker.stop()).toMatchObject({ code: 0 });
    await broker.start();
  };

  test("a subscriber's unfinished QoS 2 window is resumed under its packet identifiers", async () => {
    const broker = await startBroker();
    const fields = { clientId: "subscriber", ...durable };
    const publisher = await RawClient.connected(broker.tcp);
    let subscriber = await RawClient.connected(broker.tcp, fields);
    await subscriber.subscribe("t", { qos: 2 });
    for (const payload of ["untouched", "received", "released", "finished"]) {
      await publisher.publish("t", payload, { qos: 2 });
    }
    const ids = new Map<string, number>();
    for (let i = 0; i < 4; i++) {
      const { payload, messageId = 0, dup } = await subscriber.expect("publish", { qos: 2 });
      expect(dup).toBe(false);
      ids.set(payload.toString(), messageId);
    }
    const idOf = (payload: string) => ids.get(payload) as number;
    for (const payload of ["released", "finished"]) {
      subscriber.send({ cmd: "pubrec", messageId: idOf(payload) });
      await subscriber.expect("pubrel", { messageId: idOf(payload) });
    }
    subscriber.send({ cmd: "pubcomp", messageId: idOf("finished") });
    // a later exchange is committed with or after that PUBCOMP
    subscriber.send({ cmd: "pubrec", messageId: idOf("received") });
    await subscriber.expect("pubrel", { messageId: idOf("received") });

    await crash(broker);
    subscriber = await RawClient.connected(broker.tcp, fields);
    // [MQTT-4.4.0-1]: DUP and the same identifier [MQTT-3.3.1-1]
    const messageId = idOf("untouched");
    await subscriber.find("publish", { payload: "untouched", qos: 2, dup: true, messageId });
    await subscriber.find("pubrel", { messageId: idOf("received") });
    await subscriber.find("pubrel", { messageId: idOf("released") });
    expect(subscriber.waiting.filter(({ cmd }) => cmd === "publish")).toEqual([]);
    for (const payload of ["received", "released"]) {
      subscriber.send({ cmd: "pubcomp", messageId: idOf(payload) });
    }
    subscriber.send({ cmd: "pubrec", messageId });
    await subscriber.find("pubrel", { messageId });
    subscriber.send({ cmd: "pubcomp", messageId });
    const later = await RawClient.connected(broker.tcp);
    await later.publish("t", "later", { qos: 2 });
    await subscriber.expect("publish", { payload: "later", qos: 2, dup: false });
  });

  test("a publisher's QoS 2 messages are taken once, wherever they stood", async () => {
    const broker = await startBroker();
    const fields = { clientId: "publisher", ...durable };
    const subscriber = { clientId: "subscriber", ...durable };
    const first = await RawClient.connected(broker.tcp, subscriber);
    await first.subscribe("t", { qos: 2 });
    await first.disconnect();
    let publisher = await RawClient.connected(broker.tcp, fields);
    const stored = publisher.sendPublish("t", "stored", { qos: 2 });
    await publisher.expect("pubrec", { messageId: stored, reasonCode: 0 });
    const unanswered = publisher.sendPublish("t", "unanswered", { qos: 2 });

    await crash(broker);
    publisher = await RawClient.connected(broker.tcp, fields);
    publisher.sendPublish("t", "stored", { qos: 2, messageId: stored, dup: true });
    await publisher.expect("pubrec", { messageId: stored, reasonCode: 0 });
    publisher.sendPublish("t", "unanswered", { qos: 2, messageId: unanswered, dup: true });
    await publisher.expect("pubrec", { messageId: unanswered, reasonCode: 0 });
    for (const messageId of [stored, unanswered]) {
      publisher.send({ cmd: "pubrel", messageId });
      await publisher.expect("pubcomp", { messageId, reasonCode: 0 });
    }
    // an identifier that is free again is a new message
    publisher.sendPublish("t", "new", { qos: 2, messageId: stored });
    await publisher.expect("pubrec", { messageId: stored, reasonCode: 0 });

    const again = await RawClient.connected(broker.tcp, subscriber);
    again.acknowledge = true;
    const payloads = () =>
      again.waiting.flatMap((packet) => (packet.cmd === "publish" ? [String(packet.payload)] : []));
    await waitFor(() => payloads().includes("new"));
    expect(payloads()).toEqual(["stored", "unanswered", "new"]);
  });

  test("QoS 1 deliveries that were not acknowledged come again, those that were do not", async () => {
    const broker = await startBroker({ set: { "session.progressInterval": "10ms" } });
    const fields = { clientId: "subscriber", ...durable };
    const publisher = await RawClient.connected(broker.tcp);
    let subscriber = await RawClient.connected(broker.tcp, fields);
    await subscriber.subscribe("t", { qos: 1 });
    const payloads = ["1", "2", "3", "4", "5", "unacknowledged"];
    for (const payload of payloads) await publisher.publish("t", payload, { qos: 1 });
    const ids: number[] = [];
    for (const payload of payloads) {
      ids.push((await subscriber.expect("publish", { payload, qos: 1 })).messageId ?? 0);
    }
    // what is written after one of these may still be about the one before, not about the first
    for (const messageId of ids.slice(0, 5)) {
      const before = await sessionsWritten(broker.data);
      subscriber.send({ cmd: "puback", messageId });
      await waitFor(async () => (await sessionsWritten(broker.data)) > before, {
        what: "progress",
      });
    }

    await crash(broker);
    subscriber = await RawClient.connected(broker.tcp, fields);
    const again: string[] = [];
    while (again.at(-1) !== "unacknowledged") {
      again.push(String((await subscriber.expect("publish", { qos: 1 })).payload));
    }
    expect(again).not.toContain("1");
    await subscriber.expectQuiet();
  });

  test("retained values that a new subscription had not been sent all are sent then", async () => {
    const broker = await startBroker();
    const fields = {
      clientId: "subscriber",
      clean: false,
      properties: { sessionExpiryInterval: 3600, receiveMaximum: 7 },
    };
    const publisher = await RawClient.connected(broker.tcp);
    for (let i = 0; i < 300; i++) publisher.sendPublish(`r/${i}`, `${i}`, { qos: 1, retain: true });
    for (let i = 0; i < 300; i++) await publisher.find("puback");
    let subscriber = await RawClient.connected(broker.tcp, fields);
    await subscriber.subscribe("r/#", { qos: 1 });
    const got = new Set<string>();
    const take = async (): Promise<void> => {
      const { topic, messageId = 0, retain } = await subscriber.find("publish", { qos: 1 });
      expect(retain).toBe(true);
      got.add(topic);
      subscriber.send({ cmd: "puback", messageId });
    };
    while (got.size < 120) await take();

    await crash(broker);
    subscriber = await RawClient.connected(broker.tcp, fields);
    while (got.size < 300) await take();
    await subscriber.expectQuiet();
  });

  test("a Clean Start is not undone", async () => {
    const broker = await startBroker();
    const publisher = await RawClient.connected(broker.tcp);
    const other = await RawClient.connected(broker.tcp, { clientId: "other", ...durable });
    await other.subscribe("t", { qos: 1 });
    const fields = { clientId: "subscriber", ...durable };
    const first = await RawClient.connected(broker.tcp, fields);
    await first.subscribe("t", { qos: 2 });
    await first.disconnect();
    for (const qos of [1, 2] as const) await publisher.publish("t", "old", { qos });
    const anew = await RawClient.open(broker.tcp);
    await anew.connect({ ...fields, clean: true }, { sessionPresent: false });

    await crash(broker);
    const again = await RawClient.open(broker.tcp);
    await again.connect(fields, { sessionPresent: true });
    await again.subscribe("t", { qos: 1 });
    const later = await RawClient.connected(broker.tcp);
    await later.publish("t", "new", { qos: 1 });
    await again.expect("publish", { payload: "new" });
  });

  test("an unacknowledged QoS 1 delivery comes again before everything later", async () => {
    const broker = await startBroker();
    const fields = { clientId: "subscriber", ...durable };
    const publisher = await RawClient.connected(broker.tcp);
    let subscriber = await RawClient.connected(broker.tcp, fields);
    await subscriber.subscribe("t/#", { qos: 1 });
    const topics = Array.from({ length: 40 }, (_, i) => `t/${i}`);
    const ids = new Map<string, number>();
    for (const topic of topics) await publisher.publish(topic, topic, { qos: 1 });
    for (const _ of topics) {
      const { topic, messageId = 0 } = await subscriber.expect("publish", { dup: false });
      ids.set(topic, messageId);
    }
    await crash(broker);
    const later = await RawClient.connected(broker.tcp);
    for (const topic of topics) await later.publish(topic, "later", { qos: 1 });
    subscriber = await RawClient.connected(broker.tcp, fields);
    const first = new Set<string>();
    const resumed: { dup: boolean; messageId: number }[] = [];
    for (const _ of [...topics, ...topics]) {
      const { topic, payload, messageId = 0, dup } = await subscriber.expect("publish");
      expect(String(payload)).toBe(first.has(topic) ? "later" : topic);
      if (!first.has(topic)) resumed.push({ dup, messageId });
      first.add(topic);
      subscriber.send({ cmd: "puback", messageId });
    }
    // a crash forgets which identifiers were in use at QoS 1; an orderly end does not
    const known = topics.map((topic) => ({ dup: true, messageId: ids.get(topic) ?? 0 }));
    expect(how === "SIGTERM" ? resumed : known).toEqual(known);
  });

  test.each([1, 2] as const)(
    "deliveries at QoS %i whose messages limits dropped do not block the rest",
    async (qos) => {
      const broker = await startBroker({ set: { "limits.maxQueuedMessages": 10 } });
      const fields = {
        clientId: "subscriber",
        clean: false,
        properties: { sessionExpiryInterval: 3600, receiveMaximum: 3 },
      };
      const publisher = await RawClient.connected(broker.tcp);
      let subscriber = await RawClient.connected(broker.tcp, fields);
      await subscriber.subscribe("t", { qos });
      for (let i = 0; i < 200; i++) await publisher.publish("t", String(i), { qos: 2 });
      for (const payload of ["0", "1", "2"]) await subscriber.expect("publish", { payload, qos });
      await broker.logged(/oldest messages were dropped/);

      await crash(broker);
      subscriber = await RawClient.connected(broker.tcp, fields);
      subscriber.acknowledge = true;
      await subscriber.find("publish", { payload: "199", qos });
      const later = await RawClient.connected(broker.tcp);
      for (let i = 200; i < 220; i++) {
        await later.publish("t", String(i), { qos: 2 });
        await subscriber.find("publish", { payload: String(i), qos });
      }
    },
  );
});

/** When the log of the sessions was written last. */
async function sessionsWritten(data: string): Promise<number> {
  const folder = join(data, "raft");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".seg"));
  return Math.max(
    ...(await Promise.all(names.map((name) => stat(join(folder, name))))).map(
      ({ mtimeMs }) => mtimeMs,
    ),
  );
}
