import type { PublishBatch } from "@canopy/store";
import { expect, test } from "vitest";
import { connect } from "./client.ts";
import { World } from "./world.ts";

/** Messages beyond which a batch does not keep the memory that it has per message. */
const KEPT = 4096;

test("a large batch does not keep its memory for the small ones that come after it", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
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
  for (const count of [KEPT + 1000, 10]) {
    for (let i = 0; i < count; i++) publisher.publish("t", `${i}`);
    await world.settle();
  }
  expect(sizes).toEqual([KEPT + 1000, 10]);
  expect(batches.size).toBe(1);
  for (const { receiptSessions, receiptKeys } of batches) {
    expect(receiptSessions.length).toBeLessThanOrEqual(KEPT);
    expect(receiptKeys.length).toBeLessThanOrEqual(KEPT);
  }
  expect(subscriber.payloads()).toHaveLength(KEPT + 1010);
});
