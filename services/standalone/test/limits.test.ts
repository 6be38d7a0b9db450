import { mqttJs, RawClient, waitFor } from "@canopy/testkit";
import { expect, test } from "vitest";
import { acknowledge, fresh, lasting, publish } from "./support.ts";
import { inCluster, sharedTarget, startTarget } from "./target.ts";

const broker = sharedTarget();

test.skipIf(inCluster("a limit of one gateway"))(
  "connections: one too many is closed before it is read, and there is room again when another goes",
  async () => {
    const small = await startTarget({ set: { "limits.maxConnections": 2 } });
    const first = await RawClient.connected(small.tcp);
    await RawClient.connected(small.ws);
    const third = await RawClient.open(small.tcp);
    await third.expectClosed();
    await first.expectQuiet();
    await first.disconnect();
    await waitFor(async () => {
      const next = await RawClient.open(small.tcp);
      next.sendConnect();
      await waitFor(() => next.isClosed || next.waiting.length > 0);
      return !next.isClosed;
    });
  },
);

test.skipIf(inCluster("a limit of one gateway"))(
  "messages in flight: the broker's limit counts where the client's is higher",
  async () => {
    const small = await startTarget({ set: { "limits.maxInflight": 2 } });
    for (const version of [4, 5] as const) {
      const topic = fresh();
      const client = await RawClient.connected(small.tcp, { version, clientId: fresh() });
      await client.subscribe(topic, { qos: 1 });
      for (let i = 0; i < 4; i++) await publish(small.tcp, topic, `${i}`);
      const { messageId } = await client.expect("publish", { payload: "0" });
      await client.expect("publish", { payload: "1" });
      await client.expectQuiet();
      acknowledge(client, "puback", messageId);
      await client.expect("publish", { payload: "2" });
      await client.expectQuiet();
    }
  },
);

test("transient queues: messages are dropped instead, by setting", async () => {
  const small = await startTarget({
    set: { "limits.transientQueueMessages": 5, "limits.transientOverflow": "drop" },
  });
  const topic = fresh();
  const client = await RawClient.connected(small.tcp, { properties: { receiveMaximum: 1 } });
  await client.subscribe(topic, { qos: 1 });
  const publisher = await RawClient.connected(small.tcp);
  for (let i = 0; i < 20; i++) publisher.sendPublish(topic, `${i}`, { qos: 1 });
  for (let i = 0; i < 20; i++) await publisher.expect("puback");
  const seen: string[] = [];
  for (let i = 0; i < 6; i++) {
    const { payload, messageId } = await client.expect("publish");
    seen.push(String(payload));
    acknowledge(client, "puback", messageId);
  }
  await client.expectQuiet();
  expect(seen).toEqual(["0", "1", "2", "3", "4", "5"]);
});

test.skipIf(inCluster("a limit of one gateway"))(
  "session expiry: the longest is told, and counts",
  async () => {
    const small = await startTarget({ set: { "limits.maxSessionExpiry": 100 } });
    const client = await RawClient.open(small.tcp);
    const asked = { sessionExpiryInterval: 1000 };
    await client.connect(
      { clientId: fresh(), properties: asked },
      { properties: { sessionExpiryInterval: 100 } },
    );
    const modest = await RawClient.open(small.tcp);
    const { properties } = await modest.connect({ properties: { sessionExpiryInterval: 100 } });
    expect(properties?.sessionExpiryInterval).toBeUndefined();
  },
);

test("a SUBSCRIBE with 2,000 filters, and an UNSUBSCRIBE of them", async () => {
  for (const properties of [{}, lasting]) {
    const base = fresh();
    const client = await RawClient.connected(broker.tcp, { clientId: fresh(), properties });
    const filters = Array.from({ length: 2000 }, (_, i) => `${base}/${i}/+`);
    await client.subscribe(filters.map((topic) => ({ topic, qos: 1 as const })));
    await publish(broker.tcp, `${base}/1999/x`, "x");
    await client.expect("publish", { topic: `${base}/1999/x` });
    expect((await client.unsubscribe(filters)).granted).toEqual(filters.map(() => 0));
  }
});

test("a long topic name, with as many levels as are allowed", async () => {
  const topic = `${Array.from({ length: 127 }, () => "x".repeat(100)).join("/")}/${fresh()}`;
  const client = await RawClient.connected(broker.tcp);
  await client.subscribe(topic);
  await publish(broker.tcp, topic, "x");
  await client.expect("publish", { topic });
  expect((await client.publish(`${topic}/x`, "x", { qos: 1 }))?.reasonCode).toBe(0x90);
  await client.subscribe("x".repeat(65_535));
});

test("many connections at once, and their messages", async () => {
  const topic = fresh();
  const clients = await Promise.all(
    Array.from({ length: 200 }, () => RawClient.connected(broker.tcp, { clientId: fresh() })),
  );
  await Promise.all(clients.map((client) => client.subscribe(topic, { qos: 1 })));
  await publish(broker.tcp, topic, "to all");
  await Promise.all(clients.map((client) => client.expect("publish", { payload: "to all" })));
  const scripted = await mqttJs(broker.url, { clientId: fresh() });
  expect(scripted.connected).toBe(true);
});
