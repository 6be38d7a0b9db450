import { seededRandom } from "@canopy/base";
import type { PublishBatch } from "@canopy/store";
import { expect, test } from "vitest";
import { connect, TestClient } from "./client.ts";
import { World } from "./world.ts";

/** Messages of a turn that are passed on before its end. */
const MUCH = 256;

/** Messages in each batch that is passed on from now on. */
function batchesOf(world: World): number[] {
  const sizes: number[] = [];
  const { shards } = world.gateway;
  const publish = shards.publish.bind(shards);
  shards.publish = (batch: PublishBatch) => {
    sizes.push(batch.records.count);
    publish(batch);
  };
  return sizes;
}

test.each([
  ["a quiet turn is one write", 100, 1],
  ["a busy one is passed on as it comes, in order", 300, 3],
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

test.each([0, 1] as const)(
  "at QoS %d others are served between what one client brings, which stays in order",
  async (qos) => {
    const world = await World.start({ settings: { receiveMaximum: 10_000 } });
    const subscriber = await connect(world, "subscriber");
    await subscriber.subscribe("t", { qos: 0 });
    const fast = await connect(world, "fast");
    const slow = await connect(world, "slow");
    const sizes = batchesOf(world);
    const sent = Array.from({ length: 10 * MUCH }, (_, i) => `${i}`);
    for (const payload of sent) fast.publish("t", payload, { qos });
    slow.publish("t", "slow", { qos });
    await world.settle();
    const got = subscriber.payloads();
    expect(got.indexOf("slow")).toBeLessThanOrEqual(2 * MUCH);
    expect(got.filter((payload) => payload !== "slow")).toEqual(sent);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * MUCH);
    expect(fast.transport.isPaused).toBe(false);
  },
);

test("what needs no answer from the store counts too", async () => {
  const world = await World.start();
  const client = await connect(world, "client");
  const before = client.transport.writes;
  for (let i = 0; i < 3 * MUCH; i++) client.send({ cmd: "pingreq" });
  await world.settle();
  expect(client.packets.filter(({ cmd }) => cmd === "pingresp")).toHaveLength(3 * MUCH);
  expect(client.transport.writes - before).toBeGreaterThanOrEqual(3);
});

test("many bytes are a slice too", async () => {
  const world = await World.start();
  const subscriber = await connect(world, "subscriber");
  await subscriber.subscribe("t", { qos: 0 });
  const fast = new TestClient(world, { clientId: "fast", random: seededRandom(1) });
  await fast.connect();
  const slow = await connect(world, "slow");
  const large = "x".repeat(32 * 1024);
  for (let i = 0; i < 64; i++) fast.publish("t", `${i} ${large}`);
  slow.publish("t", "slow");
  await world.settle(200);
  const got = subscriber.payloads().map((payload) => payload.split(" ")[0]);
  expect(got.indexOf("slow")).toBeLessThan(64);
  expect(got.filter((text) => text !== "slow")).toEqual(
    Array.from({ length: 64 }, (_, i) => `${i}`),
  );
  expect(fast.transport.isPaused).toBe(false);
});

test("few messages do not wait for a turn in which much else is read", async () => {
  const world = await World.start();
  const subscriber = await connect(world, "subscriber");
  await subscriber.subscribe("t/+", { qos: 0 });
  const publishers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => connect(world, `p${i}`)),
  );
  const { topics } = world.gateway;
  const intern = topics.intern.bind(topics);
  topics.intern = (bytes, start, end) => {
    world.time.advance(0.3);
    return intern(bytes, start, end);
  };
  const sizes = batchesOf(world);
  for (const [i, publisher] of publishers.entries()) publisher.publish(`t/${i}`, `${i}`);
  await world.settle();
  expect(subscriber.payloads()).toHaveLength(20);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(5);
});
