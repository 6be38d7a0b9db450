/** While it is not known whether the others count a gateway as living, its clients hear nothing. */
import { expect, test } from "vitest";
import { TestClient } from "./client.ts";
import { World } from "./world.ts";

/** A publisher and a transient subscriber, and what decides whether they hear anything. */
async function pair() {
  const lease = { holds: true };
  const world = await World.start({ mayAnswer: () => lease.holds });
  const publisher = new TestClient(world, "publisher");
  const subscriber = new TestClient(world, { clientId: "subscriber", version: 4 });
  await publisher.connect();
  await subscriber.connect();
  await subscriber.subscribe("a", { qos: 1 });
  return { world, lease, publisher, subscriber };
}

test("nothing is answered and nothing delivered; when it is known again, all of it comes in order", async () => {
  const { world, lease, publisher, subscriber } = await pair();
  lease.holds = false;
  publisher.publish("a", "small", { qos: 1 });
  await world.settle();
  publisher.publish("a", "x".repeat(50_000), { qos: 1 });
  await world.settle();
  expect([...publisher.packets, ...subscriber.packets]).toEqual([]);
  lease.holds = true;
  world.gateway.answerAgain();
  await world.settle();
  // it was not read from meanwhile, so the second one comes only now
  expect(publisher.takeAll("puback")).toHaveLength(2);
  const sizes = subscriber.takeAll("publish").map(({ payload }) => payload.length);
  expect(sizes).toEqual([5, 50_000]);
});

test("who is not answered is not read from: what waits for it is bounded by what it had sent", async () => {
  const { world, lease, publisher } = await pair();
  lease.holds = false;
  publisher.send({ cmd: "pingreq" });
  await world.settle();
  expect(publisher.transport.isPaused).toBe(true);
  lease.holds = true;
  world.gateway.answerAgain();
  await world.settle();
  expect(publisher.transport.isPaused).toBe(false);
  publisher.take("pingresp");
});

test("where others count it as dead, clients hear only that they are sent away, and of what comes later nothing", async () => {
  const { world, lease, publisher, subscriber } = await pair();
  lease.holds = false;
  publisher.publish("a", "1", { qos: 1 });
  publisher.send({ cmd: "pingreq" });
  await world.settle();
  await world.gateway.abandon();
  await world.settle();
  expect(publisher.packets).toMatchObject([{ cmd: "disconnect", reasonCode: 0x8b }]);
  expect(subscriber.packets).toEqual([]); // MQTT 3.1.1 has no DISCONNECT from the server
  expect([publisher.isClosed, subscriber.isClosed]).toEqual([true, true]);
});
