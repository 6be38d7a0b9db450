import { expect, test } from "vitest";
import { connect } from "./client.ts";
import { World } from "./world.ts";

test.each([
  ["a quiet turn is one write", 100, 1],
  ["a busy one is passed on as it comes, in order", 300, 2],
])("%s", async (_, each, writes) => {
  const world = await World.start();
  const subscriber = await connect(world, "subscriber");
  await subscriber.subscribe("t/+", { qos: 0 });
  const publishers = [await connect(world, "p0"), await connect(world, "p1")];
  const before = subscriber.transport.writes;
  for (let i = 0; i < each; i++) {
    for (const [number, publisher] of publishers.entries()) {
      publisher.publish(`t/${number}`, `${number}-${i}`);
    }
  }
  await world.settle();
  expect(subscriber.transport.writes - before).toBe(writes);
  const got = subscriber.payloads();
  expect(got).toHaveLength(2 * each);
  for (const number of publishers.keys()) {
    const own = got.filter((payload) => payload.startsWith(`${number}-`));
    expect(own).toEqual(Array.from({ length: each }, (__, i) => `${number}-${i}`));
  }
});
