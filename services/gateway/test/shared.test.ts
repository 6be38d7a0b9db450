import { expect, test } from "vitest";
import { connect, resume } from "./client.ts";
import { World } from "./world.ts";

test("[MQTT-4.8.2-5] what was sent at QoS 2 to a session that ends goes to nobody else", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const first = await connect(world, "first");
  first.acknowledge = false;
  await first.subscribe("$share/g/t", { qos: 2 });
  publisher.publish("t", "two", { qos: 2 });
  publisher.publish("t", "one", { qos: 1 });
  await world.settle();
  expect(first.payloads()).toEqual(["two", "one"]);
  const second = await connect(world, "second");
  await second.subscribe("$share/g/t", { qos: 2 });
  first.transport.drop();
  await world.settle();
  expect(second.payloads()).toEqual(["one"]);
});

test("a client that is gone, but not released, is given nothing that would be lost", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const other = await connect(world, "other");
  await other.subscribe("$share/g/t", { qos: 1 });
  const gone = await connect(world, "gone");
  await gone.subscribe("$share/g/t", { qos: 1 });
  const durable = await resume(world, "durable");
  await durable.subscribe("q", { qos: 1 });
  const release = world.holdDisk();
  gone.publish("q", "keeps its release waiting", { qos: 1 });
  await world.settle();
  gone.transport.drop();
  await world.settle();
  for (let i = 0; i < 10; i++) publisher.publish("t", `${i}`, { qos: 1 });
  await world.settle();
  release();
  await world.settle();
  expect(other.payloads().length).toBe(10);
});

test("[MQTT-3.8.4-3] subscribing again keeps what is in flight where it is", async () => {
  const world = await World.start();
  const publisher = await connect(world, "publisher");
  const first = await connect(world, "first");
  first.acknowledge = false;
  await first.subscribe("$share/g/t", { qos: 1 });
  publisher.publish("t", "x", { qos: 1 });
  await world.settle();
  const second = await connect(world, "second");
  await second.subscribe("$share/g/t", { qos: 1 });
  await first.subscribe("$share/g/t", { qos: 2 });
  await world.settle();
  expect(first.payloads()).toEqual(["x"]);
  expect(second.payloads()).toEqual([]);
});
