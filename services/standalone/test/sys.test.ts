import { mosquittoSub, RawClient, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { fresh, publish } from "./support.ts";
import { inCluster, sharedTarget, startTarget } from "./target.ts";

const broker = sharedTarget({ set: { "sys.interval": "100ms" } });

/** The names that Mosquitto's users know. */
const names = [
  "version",
  "uptime",
  "clients/total",
  "clients/connected",
  "clients/disconnected",
  "clients/maximum",
  "messages/received",
  "messages/sent",
  "messages/stored",
  "store/messages/count",
  "store/messages/bytes",
  "publish/messages/received",
  "publish/messages/sent",
  "publish/messages/dropped",
  "bytes/received",
  "bytes/sent",
  "subscriptions/count",
  "retained messages/count",
  "load/messages/received/1min",
  "load/messages/received/5min",
  "load/messages/received/15min",
  "load/connections/1min",
];

async function expectValue(
  client: RawClient,
  name: string,
  wanted: (text: string) => boolean,
): Promise<void> {
  for (;;) {
    const { payload } = await client.find("publish", { topic: `$SYS/broker/${name}` });
    if (wanted(String(payload))) return;
  }
}

test("the topics that Mosquitto's users know come with SUBSCRIBE, as retained messages", async () => {
  const client = await RawClient.connected(broker.tcp);
  await client.subscribe("$SYS/#");
  // a gateway that has just begun may have none yet
  await client.find("publish", { topic: "$SYS/broker/version" });
  await client.subscribe("$SYS/#");
  for (const name of names) {
    const topic = `$SYS/broker/${name}`;
    const { payload } = await client.find("publish", { topic, retain: true });
    expect(String(payload)).not.toBe("");
  }
});

test("they change with what happens", async () => {
  const [clientId, topic] = [fresh(), fresh()];
  const client = await RawClient.connected(broker.tcp);
  await client.subscribe("$SYS/broker/#");
  await publish(broker.tcp, topic, "kept", { retain: true });
  await expectValue(client, "retained messages/count", (text) => text === "1");
  const durable = await RawClient.connected(broker.tcp, {
    clientId,
    properties: { sessionExpiryInterval: 600 },
  });
  await durable.subscribe(topic, { qos: 1, rh: 2 });
  await durable.disconnect();
  await expectValue(client, "clients/disconnected", (text) => text === "1");
  for (let i = 0; i < 3; i++) await publish(broker.tcp, topic, `${i}`);
  await expectValue(client, "store/messages/count", (text) => text === "3");
  await expectValue(client, "messages/received", (text) => Number(text) >= 4);
  await expectValue(client, "load/messages/received/1min", (text) => Number(text) > 0);
  await expectValue(client, "uptime", (text) => /^\d+ seconds$/.test(text));
});

test("messages are packets of every type, as Mosquitto counts them", async () => {
  const client = await RawClient.connected(broker.tcp);
  await client.subscribe("$SYS/broker/messages/+");
  const received = await client.find("publish", { topic: "$SYS/broker/messages/received" });
  const sent = await client.find("publish", { topic: "$SYS/broker/messages/sent" });
  for (let i = 0; i < 100; i++) client.send({ cmd: "pingreq" });
  const more = (before: unknown) => (text: string) => Number(text) >= Number(before) + 100;
  await expectValue(client, "messages/received", more(received.payload));
  await expectValue(client, "messages/sent", more(sent.payload));
});

test("what is not retained for want of room is counted", async () => {
  const set = { "sys.interval": "100ms", "limits.maxRetainedMessages": 1 };
  const small = await startTarget({ set });
  const client = await RawClient.connected(small.tcp);
  await client.subscribe("$SYS/broker/retained messages/+");
  for (const topic of ["a", "b", "c"]) await publish(small.tcp, topic, "x", { retain: true });
  await expectValue(client, "retained messages/refused", (text) => text === "2");
});

test("[MQTT-4.7.2-1] # does not show them, and exact names do", async () => {
  const client = await RawClient.connected(broker.tcp);
  await client.subscribe("#");
  await client.subscribe("$SYS/broker/version");
  const { payload } = await client.find("publish", { topic: "$SYS/broker/version" });
  expect(String(payload)).toMatch(/^canopy \d+\.\d+/);
  const shown = client.waiting.filter(
    (got) => got.cmd === "publish" && got.topic.startsWith("$SYS"),
  );
  expect(shown).toEqual([]);
});

test("mosquitto_sub watches them", async () => {
  const { host, port } = broker.tcp;
  const watcher = await mosquittoSub(["-h", host, "-p", `${port}`, "-t", "$SYS/broker/uptime"]);
  expect((await watcher.waitFor(2))[0]).toMatch(/^\d+ seconds$/);
});

test.skipIf(inCluster("a setting of one gateway"))(
  "an interval of 0 switches them off",
  async () => {
    const quiet = await startTarget({ set: { "sys.interval": "0" } });
    const client = await RawClient.connected(quiet.tcp);
    await client.subscribe("$SYS/#");
    await client.expectQuiet();
    await waitFor(() => client.waiting.length === 0);
  },
);
