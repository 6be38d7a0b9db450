import { describe, expect, test } from "vitest";
import { settled, startedWorld } from "./harness.ts";

describe("publish", () => {
  test("QoS 0 is pushed in the same call, with one push for the batch, and no disk", async () => {
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
});
