import { MemoryDisk } from "@canopy/store/memory";
import { describe, expect, test } from "vitest";
import { member, RecordingPeer, type Sent, settled, startedWorld, type World } from "./harness.ts";
import { owning } from "./process.ts";

const message = (payload: string, more: Partial<Sent> = {}): Sent => ({
  topic: "a",
  payload,
  qos: 1,
  ...more,
});

async function two(world: World) {
  const publisher = world.register(1);
  const subscriber = world.register(2);
  subscriber.acknowledges = false;
  return { publisher, subscriber };
}

describe("answers wait for gateways with somebody transient at QoS ≥ 1", () => {
  test("until they have acknowledged the push, which may be one for all so far", async () => {
    const world = await startedWorld();
    const { publisher, subscriber } = await two(world);
    await world.await(2, "a");
    const first = world.publish(1, message("1"), message("0", { qos: 0 }));
    const second = world.publish(1, message("2", { qos: 2 }));
    expect(subscriber.payloads()).toEqual(["1", "0", "2"]);
    expect(publisher.trace).toEqual([]);
    expect(publisher.back).toEqual([]);
    world.shards.acknowledged(2, 1);
    expect(publisher.trace).toEqual(["answer 0 0x00"]);
    subscriber.acknowledge();
    expect(publisher.trace).toEqual(["answer 0 0x00", "answer 0 0x00"]);
    expect(publisher.back).toEqual([first, second]);
  });

  test("not at QoS 0, and not where only durable or QoS 0 subscribers match", async () => {
    const world = await startedWorld();
    const { publisher } = await two(world);
    await world.await(2, "a");
    const batch = world.publish(1, message("0", { qos: 0 }));
    expect(publisher.back).toEqual([batch]);
    await world.subscribe(2, "b");
    await world.route("b");
    world.publish(1, message("1", { topic: "b" }));
    await settled();
    expect(publisher.codes()).toEqual([0]);
  });

  test("an interest that ends to be transient is waited for no more", async () => {
    const world = await startedWorld();
    const { publisher } = await two(world);
    await world.await(2, "a", "a");
    const change = { filter: "a", add: false, transient: true };
    await world.shards.interests(2, [change]);
    world.publish(1, message("1"));
    expect(publisher.codes()).toEqual([]);
    await world.shards.interests(2, [change, { ...change, add: true, transient: false }]);
    world.publish(1, message("2"));
    expect(publisher.codes()).toEqual([0]);
  });

  test("beside the disk: both have to be done", async () => {
    const world = await startedWorld();
    const { publisher, subscriber } = await two(world);
    const [a, b] = world.neighbours(2);
    await world.route(a);
    await world.await(2, a, b);
    const release = world.holdDisk();
    world.publish(1, message("stored", { topic: a }), message("passed", { topic: b }));
    await settled();
    expect(subscriber.payloads()).toEqual(["passed"]);
    subscriber.acknowledge();
    expect(publisher.trace).toEqual([]);
    release();
    await settled();
    expect(subscriber.payloads()).toEqual(["passed", "stored"]);
    expect(publisher.trace).toEqual([]);
    subscriber.acknowledge();
    expect(publisher.trace).toEqual(["answer 0 0x00", "answer 1 0x00"]);
  });

  test("for a member of a shared group that nothing is stored for", async () => {
    const world = await startedWorld();
    const { publisher, subscriber } = await two(world);
    world.shards.join(2, member(1, "$share/g/a"));
    world.publish(1, message("1"));
    expect(subscriber.dispatched).toHaveLength(1);
    expect(publisher.codes()).toEqual([]);
    subscriber.acknowledge();
    expect(publisher.codes()).toEqual([0]);
  });

  test("no longer than the wait timeout; then it is an error, and no second answer", async () => {
    const world = await startedWorld();
    const { publisher, subscriber } = await two(world);
    await world.await(2, "a");
    const batch = world.publish(1, message("1"));
    world.time.advance(4_999);
    expect(publisher.trace).toEqual([]);
    world.time.advance(1);
    expect(publisher.codes()).toEqual([0x80]);
    expect(publisher.back).toEqual([batch]);
    subscriber.acknowledge();
    expect(publisher.codes()).toEqual([0x80]);
  });
});

describe("a gateway that does not acknowledge", () => {
  test("is not waited for when it is down", async () => {
    const world = await startedWorld();
    const { publisher } = await two(world);
    await world.await(2, "a");
    world.publish(1, message("1"));
    world.shards.unregister(2);
    expect(publisher.codes()).toEqual([0]);
  });

  test("is waited for while it is away and live; then its next attachment is", async () => {
    const process = await owning(new MemoryDisk(), 1);
    const { control, shards } = process;
    for (const gateway of [11, 12]) control.gatewayUp(gateway);
    const publisher = process.register(11);
    const subscriber = process.register(12);
    subscriber.acknowledges = false;
    const { shard } = process.topic("a");
    shards.resume(11, shard, 1, 1);
    await process.await(12, "a");
    process.give(11, 1, message("1"));
    shards.unregister(12);
    process.give(11, 2, message("2"));
    expect(subscriber.payloads()).toEqual(["1"]);
    const again = new RecordingPeer(12, shards);
    again.acknowledges = false;
    shards.register(12, again);
    expect(again.payloads()).toEqual(["1", "2"]);
    await process.await(12, "a");
    shards.known(12, 20);
    expect(publisher.trace).toEqual([]);
    again.acknowledge();
    expect(publisher.codes()).toEqual([0, 0]);
  });

  test("is not waited for when it goes down while it is away", async () => {
    const process = await owning(new MemoryDisk(), 1);
    const { control, shards } = process;
    for (const gateway of [11, 12]) control.gatewayUp(gateway);
    const publisher = process.register(11);
    process.register(12).acknowledges = false;
    shards.resume(11, process.topic("a").shard, 1, 1);
    await process.await(12, "a");
    shards.unregister(12);
    process.give(11, 1, message("1"));
    expect(publisher.codes()).toEqual([]);
    control.gatewayDown(12);
    expect(publisher.codes()).toEqual([0]);
    process.give(11, 2, message("2"));
    expect(publisher.codes()).toEqual([0, 0x10]);
  });
});
