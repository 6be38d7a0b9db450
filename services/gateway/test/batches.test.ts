import type { PublishBatch } from "@canopy/store";
import { expect, test } from "vitest";
import { connect, type TestClient } from "./client.ts";
import { World } from "./world.ts";

/** Messages beyond which a batch does not keep the memory that it has per message. */
const KEPT = 4096;
/** Publishers, because each may bring so much in a turn only. */
const EACH = 25;
const LARGE = KEPT + 1004;

test("a large batch does not keep its memory for the small ones that come after it", async () => {
  const world = await World.start();
  const publishers: TestClient[] = [];
  while (publishers.length < EACH) publishers.push(await connect(world, `p${publishers.length}`));
  const subscriber = await connect(world, "subscriber");
  await subscriber.subscribe("t", { qos: 0 });
  const { shards } = world.gateway;
  const publish = shards.publish.bind(shards);
  const batches = new Set<PublishBatch>();
  const sizes: number[] = [];
  shards.publish = (batch) => {
    batches.add(batch);
    sizes.push(batch.records.count);
    publish(batch);
  };
  // as it is where outputs are late: all that a turn reads is one batch
  world.gateway.passOn = () => undefined;
  for (const count of [LARGE, EACH]) {
    for (let i = 0; i < count; i++) publishers[i % EACH]?.publish("t", `${i}`);
    await world.settle();
  }
  expect(sizes).toEqual([LARGE, EACH]);
  expect(batches.size).toBe(1);
  for (const { receiptSessions, receiptKeys } of batches) {
    expect(receiptSessions.length).toBeLessThanOrEqual(KEPT);
    expect(receiptKeys.length).toBeLessThanOrEqual(KEPT);
  }
  expect(subscriber.payloads()).toHaveLength(LARGE + EACH);
});
