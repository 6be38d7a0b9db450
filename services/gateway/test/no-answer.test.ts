import { expect, test } from "vitest";
import { TestClient } from "./client.ts";
import { World } from "./world.ts";

/**
 * A durable subscriber, so that messages go to the disk, which does not answer. The client that
 * publishes is durable too: its QoS 2 messages have receipts, so they can't be refused.
 */
async function stuck(): Promise<{ world: World; publisher: TestClient; release: () => void }> {
  const world = await World.start();
  const subscriber = new TestClient(world, "subscriber");
  await subscriber.resume();
  await subscriber.subscribe("a", { qos: 2 });
  const publisher = new TestClient(world, "publisher");
  await publisher.resume();
  const release = world.holdDisk();
  publisher.publish("a", "1", { qos: 2 });
  await world.settle();
  return { world, publisher, release };
}

test("a message that may be stored is not refused: its connection is closed when nothing answers", async () => {
  const { world, publisher, release } = await stuck();
  await world.pass(5000);
  expect(publisher.takeAll("pubrec")).toEqual([]);
  expect(publisher.isClosed).toBe(false);
  await world.pass(2000);
  expect(publisher.takeAll("pubrec")).toEqual([]);
  expect(publisher.isClosed).toBe(true);
  release();
  await world.settle();
  const connack = await publisher.resume();
  expect(connack.sessionPresent).toBe(true);
});

test("stopping at once, with messages on their way, throws nothing", async () => {
  const world = await World.open({ limits: { shutdownTimeout: 0 } });
  const publisher = new TestClient(world, "publisher");
  await publisher.connect();
  publisher.publish("a", "1", { qos: 1 });
  const stopped = world.stop();
  publisher.publish("a", "2", { qos: 1 });
  await world.settle();
  await stopped;
  await world.settle();
  expect(publisher.isClosed).toBe(true);
});
