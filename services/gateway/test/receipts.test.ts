/** Where a durable session has receipts of what it has published at QoS 2. */
import { SessionError } from "@canopy/session";
import { expect, test } from "vitest";
import { resume, type TestClient } from "./client.ts";
import { World } from "./world.ts";

/** Which shards are asked for receipts from here on, of each session that is continued. */
function asked(world: World): (readonly number[])[] {
  const all: (readonly number[])[] = [];
  const { shards } = world.gateway;
  const receipts = shards.receipts.bind(shards);
  Object.assign(shards, {
    receipts: (session: number, of: readonly number[]) => {
      all.push(of);
      return receipts(session, of);
    },
  });
  return all;
}

function publish(client: TestClient, messageId: number, topic = "t", dup = false): void {
  const message = { topic, payload: `${messageId}`, qos: 2, retain: false, dup } as const;
  client.send({ cmd: "publish", messageId, ...message });
}

/** Only what is sent by hand is sent. */
async function durable(world: World): Promise<TestClient> {
  const client = await resume(world, "c");
  client.acknowledge = false;
  return client;
}

async function again(world: World, client: TestClient): Promise<void> {
  client.transport.drop();
  await world.settle();
  await client.resume();
  await world.settle();
}

test("PUBREC leaves when the session's state says in which shard its receipt is", async () => {
  const world = await World.start();
  const client = await durable(world);
  const release = world.holdLog();
  publish(client, 1);
  await world.settle();
  expect(client.takeAll("pubrec")).toEqual([]);
  release();
  await world.settle();
  expect(client.takeAll("pubrec")).toHaveLength(1);
  // It is known now: the next one waits for nothing.
  const releaseAgain = world.holdLog();
  publish(client, 2);
  await world.settle();
  expect(client.takeAll("pubrec")).toHaveLength(1);
  releaseAgain();
});

test("a session that is continued asks only the shards that may have receipts", async () => {
  const world = await World.start();
  const shards = asked(world);
  const client = await durable(world);
  await again(world, client);
  expect(shards).toEqual([]);
  publish(client, 1);
  await world.settle();
  await again(world, client);
  expect(shards).toHaveLength(1);
  expect(shards[0]).toHaveLength(1);
  client.send({ cmd: "pubrel", messageId: 1 });
  await world.settle();
  expect(client.takeAll("pubcomp")).toMatchObject([{ messageId: 1 }]);
  await again(world, client);
  expect(shards).toHaveLength(1);
});

test("[MQTT-4.3.3-10] a PUBLISH whose PUBREC was lost with the broker is not stored again", async () => {
  const world = await World.start();
  const reader = await resume(world, "reader");
  await reader.subscribe("t", { qos: 1 });
  const client = await durable(world);
  // It is stored, but the state is not told where, so there is no PUBREC for it.
  const gone = () => Promise.reject(new SessionError("closed", "gone"));
  Object.assign(world.gateway.sessions, { deliveries: gone });
  publish(client, 1);
  await world.settle();
  expect(client.takeAll("pubrec")).toEqual([]);
  expect(client.isClosed).toBe(true);
  await world.restart();
  await client.resume();
  publish(client, 1, "t", true);
  await world.settle();
  expect(client.takeAll("pubrec")).toMatchObject([{ messageId: 1 }]);
  client.send({ cmd: "pubrel", messageId: 1 });
  await world.settle();
  expect(client.takeAll("pubcomp")).toMatchObject([{ messageId: 1 }]);
  await reader.resume();
  await world.settle();
  expect(new Set(reader.payloads())).toEqual(new Set(["1"]));
});
