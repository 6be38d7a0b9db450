import { describe, expect, test } from "vitest";
import { settled, startedWorld } from "./harness.ts";

describe("without the disk", () => {
  test("QoS 0 is pushed in the same call, with one push for the batch, and not stored", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.subscribe(1, "a/#");
    const batch = world.publish(1, { topic: "a/b", payload: "1" }, { topic: "a/b", payload: "2" });
    expect(peer.payloads()).toEqual(["1", "2"]);
    expect(peer.pushes).toHaveLength(1);
    expect(peer.pushed.map(({ offset }) => offset)).toEqual([0, 0]);
    expect(peer.answers).toEqual([]);
    expect(peer.back).toEqual([batch]);
    expect(world.disk.shard(batch.shard).bodies.size).toBe(0);
  });

  test("QoS 0 does not touch the disk, though a durable session has the filter", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a/b");
    await world.subscribe(1, "a/b");
    const batch = world.publish(1, { topic: "a/b" });
    expect(peer.payloads()).toEqual(["a/b"]);
    await settled();
    expect(world.disk.shard(batch.shard).head).toBe(0);
  });

  test("QoS 1 that nobody keeps is answered in the same call, after the push", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.subscribe(1, "a/b");
    const batch = world.publish(1, { topic: "a/b", payload: "1", qos: 1 });
    expect(peer.trace).toEqual(["push 1", "answer 0 0x00"]);
    expect(peer.back).toEqual([batch]);
  });

  test("a message that matches nobody is answered with 0x10 (No matching subscribers)", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    world.publish(1, { topic: "a/b", qos: 1 }, { topic: "a/b", qos: 0 });
    expect(peer.codes()).toEqual([0x10]);
  });

  test("each gateway with an interest gets one push with what concerns it", async () => {
    const world = await startedWorld();
    const [one, two, three] = [world.register(1), world.register(2), world.register(3)];
    await world.subscribe(1, "a/b");
    await world.subscribe(2, "a/+", "#");
    await world.subscribe(3, "c");
    world.publish(1, { topic: "a/b", payload: "1" }, { topic: "a/b", payload: "2" });
    expect(one.payloads()).toEqual(["1", "2"]);
    expect(two.payloads()).toEqual(["1", "2"]);
    expect(two.pushes).toHaveLength(1);
    expect(three.payloads()).toEqual([]);
  });
});

describe("with the disk", () => {
  test("no push and no answer leaves before the disk has the message", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a/b");
    await world.subscribe(1, "a/b");
    const release = world.holdDisk();
    const batch = world.publish(1, { topic: "a/b", payload: "1", qos: 1 });
    await settled();
    expect(peer.trace).toEqual([]);
    expect(peer.back).toEqual([]);
    release();
    await settled();
    expect(peer.trace).toEqual(["push 1", "answer 0 0x00"]);
    expect(peer.back).toEqual([batch]);
    expect(await world.read("a/b", batch.shard)).toEqual(peer.pushed);
  });

  test("the batch's memory may be used again once it is released", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route("a/b");
    const batch = world.publish(1, { topic: "a/b", payload: "first", qos: 1 });
    await settled();
    batch.records.bytes.fill(0xff);
    expect((await world.read("a/b", batch.shard)).map(({ payload }) => payload)).toEqual(["first"]);
  });

  test("one append for a batch; a message is stored once for many queues", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route("a/b", "a/+", "#");
    const batch = world.publish(1, { topic: "a/b", qos: 1 }, { topic: "a/b", qos: 2 });
    await settled();
    const disk = world.disk.shard(batch.shard);
    expect(disk.bodies.size).toBe(2);
    for (const queue of ["a/b", "a/+", "#"]) {
      expect(disk.queues.get(queue)).toEqual([...disk.bodies.keys()]);
    }
  });

  test("only what is kept is stored of a mixed batch; the rest does not wait", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    const [kept, other] = world.neighbours(2);
    await world.route(kept);
    await world.subscribe(1, "#");
    const release = world.holdDisk();
    const batch = world.publish(
      1,
      { topic: kept, payload: "kept 1", qos: 1 },
      { topic: other, payload: "other", qos: 1 },
      { topic: kept, payload: "at most once", qos: 0 },
      { topic: kept, payload: "kept 2", qos: 2 },
    );
    expect(peer.trace).toEqual(["push other", "push at most once", "answer 1 0x00"]);
    expect(peer.back).toEqual([]);
    peer.trace.length = 0;
    release();
    await settled();
    expect(peer.trace).toEqual(["push kept 1", "push kept 2", "answer 0 0x00", "answer 3 0x00"]);
    expect(peer.back).toEqual([batch]);
    const stored = await world.read(kept, batch.shard);
    expect(stored.map(({ payload }) => payload)).toEqual(["kept 1", "kept 2"]);
    expect(stored.map(({ offset }) => offset)).toEqual(
      peer.pushed.filter(({ offset }) => offset > 0).map(({ offset }) => offset),
    );
  });

  test("[MQTT-4.6.0-5] [MQTT-4.6.0-6] batches are pushed in the order in which they came", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a/b");
    await world.subscribe(1, "a/b");
    for (let i = 0; i < 20; i++) world.publish(1, { topic: "a/b", payload: `${i}`, qos: 1 });
    await settled();
    expect(peer.payloads()).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    const offsets = peer.pushed.map(({ offset }) => offset);
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
  });

  test("[MQTT-4.6.0-5] QoS 1 without need of the disk does not overtake what is on its way", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    const [topic, other] = world.neighbours(2);
    await world.subscribe(1, "#");
    world.publish(1, { topic, payload: "0", qos: 1 }, { topic: other, payload: "0", qos: 1 });
    const release = world.holdDisk();
    world.publish(1, { topic, payload: "retained", qos: 1, retain: true });
    world.publish(1, { topic, payload: "behind", qos: 1 }, { topic, payload: "QoS 0" });
    world.publish(1, { topic: other, payload: "other", qos: 1 });
    expect(peer.payloads()).toEqual(["0", "0", "QoS 0", "other"]);
    release();
    await settled();
    expect(peer.payloads().slice(4)).toEqual(["retained", "behind"]);
    world.publish(1, { topic, payload: "later", qos: 1 });
    expect(peer.payloads().at(-1)).toBe("later");
  });

  test("[MQTT-4.6.0-5] QoS 0 does not overtake QoS 0 that is to be retained", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.subscribe(1, "#");
    const release = world.holdDisk();
    world.publish(1, { topic: "a", payload: "1", retain: true });
    world.publish(1, { topic: "a", payload: "2" });
    expect(peer.payloads()).toEqual([]);
    release();
    await settled();
    expect(peer.payloads()).toEqual(["1", "2"]);
    expect(peer.answers).toEqual([]);
  });

  test("a match is the one of the moment when the message came", async () => {
    const world = await startedWorld();
    const [one, two] = [world.register(1), world.register(2)];
    await world.route("a/b");
    await world.subscribe(1, "a/b");
    const release = world.holdDisk();
    world.publish(1, { topic: "a/b", payload: "before", qos: 1 });
    const heads = world.subscribe(2, "a/b");
    await settled();
    release();
    const shard = world.topic("a/b").shard;
    expect((await heads)[shard]).toBe(one.pushed[0]?.offset);
    expect(two.payloads()).toEqual([]);
    world.publish(1, { topic: "a/b", payload: "after", qos: 1 });
    await settled();
    expect(two.payloads()).toEqual(["after"]);
  });

  test("the head that interests() gives waits until everything up to it is on disk", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route("a/b");
    const release = world.holdDisk();
    world.publish(1, { topic: "a/b", qos: 1 });
    let isInForce = false;
    const heads = world.subscribe(1, "a/b").then((result) => {
      isInForce = true;
      return result;
    });
    await settled();
    expect(isInForce).toBe(false);
    release();
    const { shard } = world.topic("a/b");
    expect((await heads)[shard]).toBe(world.disk.shard(shard).head);
  });

  test("heads() counts what is on its way", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route("a/b");
    const release = world.holdDisk();
    const before = await world.service.routeSink.heads();
    const { shard } = world.publish(1, { topic: "a/b", qos: 1 }, { topic: "a/b", qos: 1 });
    const after = await world.service.routeSink.heads();
    expect(after[shard]! - before[shard]!).toBe(2);
    release();
    await settled();
    expect(world.disk.shard(shard).head).toBe(after[shard]);
  });
});

describe("gateways", () => {
  test("interests are counted: the last one taken back ends them", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.subscribe(1, "a", "a");
    await world.unsubscribe(1, "a");
    world.publish(1, { topic: "a", payload: "1" });
    await world.unsubscribe(1, "a");
    world.publish(1, { topic: "a", payload: "2", qos: 1 });
    expect(peer.payloads()).toEqual(["1"]);
    expect(peer.codes()).toEqual([0x10]);
  });

  test("one that is down gets nothing and its batches have no effect", async () => {
    const world = await startedWorld();
    const [one, two] = [world.register(1), world.register(2)];
    await world.route("a");
    await world.subscribe(1, "a");
    await world.subscribe(2, "a");
    const release = world.holdDisk();
    world.publish(1, { topic: "a", payload: "on its way", qos: 1 });
    world.shards.unregister(1);
    world.publish(1, { topic: "a", payload: "too late", qos: 1 });
    release();
    await settled();
    expect(one.trace).toEqual([]);
    expect(two.payloads()).toEqual(["on its way"]);
  });

  test("one that throws does not stop the shard", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    const push = peer.push.bind(peer);
    peer.push = () => {
      peer.push = push;
      throw new Error("a bug");
    };
    world.publish(1, { topic: "a", payload: "1", qos: 1 });
    world.publish(1, { topic: "a", payload: "2", qos: 1 });
    await settled();
    expect(peer.payloads()).toEqual(["2"]);
    expect(peer.codes()).toEqual([0, 0]);
  });

  test("one may publish while it is told of messages", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    const other = world.register(2);
    await world.route("a");
    await world.subscribe(1, "a", "b");
    await world.subscribe(2, "a", "b");
    const push = peer.push.bind(peer);
    let left = 3;
    peer.push = (message) => {
      push(message);
      if (left-- > 0) world.publish(1, { topic: "a", payload: `echo ${left}`, qos: 1 });
    };
    world.publish(1, { topic: "a", payload: "1", qos: 0 });
    await settled();
    expect(other.payloads()).toEqual(["1", "echo 2", "echo 1", "echo 0"]);
    expect(peer.payloads()).toEqual(other.payloads());
    expect(peer.codes()).toEqual([0, 0, 0]);
  });
});
