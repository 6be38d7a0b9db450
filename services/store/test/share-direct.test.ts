import { describe, expect, test } from "vitest";
import { GROUP, got, join, publish, topics } from "./groups.ts";
import { member, startedWorld } from "./harness.ts";

describe("groups without a durable member", () => {
  test("each message goes to exactly one member, at once", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    join(world, member(1, GROUP), member(2, GROUP));
    const [topic] = topics(world);
    const batch = world.publish(
      1,
      { topic, payload: "1", qos: 1 },
      { topic, payload: "2", qos: 1 },
      { topic, payload: "3", qos: 0 },
    );
    expect(peer.dispatched.map(({ payload }) => payload)).toEqual(["1", "2", "3"]);
    expect(peer.dispatched.map(({ offset }) => offset)).toEqual([0, 0, 0]);
    expect(peer.codes()).toEqual([0, 0]);
    expect(peer.back).toEqual([batch]);
  });

  test("two groups on one filter get each message once each, and so do other subscribers", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.subscribe(1, "s/#");
    join(world, member(1, GROUP), member(2, GROUP), member(3, "$share/h/s/#"));
    await publish(world, 4);
    expect([...got(peer, 1), ...got(peer, 2)].sort()).toEqual(["1", "2", "3", "4"]);
    expect(got(peer, 3)).toEqual(["1", "2", "3", "4"]);
    expect(peer.payloads()).toEqual(["1", "2", "3", "4"]);
  });

  test("when the last member has gone nobody matches", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    join(world, member(1, GROUP));
    await publish(world, 1);
    world.shards.leave(1, 1, [], []);
    await publish(world, 1);
    expect(peer.codes()).toEqual([0, 0x10]);
  });

  test("what a member did not acknowledge goes to another, or is dropped and counted", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    join(world, member(1, GROUP), member(2, GROUP));
    const [name] = topics(world);
    const topic = world.topic(name);
    const returned = ["a", "b"].map((payload) => ({
      filter: GROUP,
      record: world.record({ topic: name, payload, qos: 1 }),
      topic,
    }));
    world.shards.leave(1, 1, [], returned);
    expect(got(peer, 2)).toEqual(["a", "b"]);
    world.shards.leave(1, 2, [], returned);
    expect(world.service.counters.undispatched).toBe(2);
  });

  test("members of several gateways share one group", async () => {
    const world = await startedWorld();
    const [one, two] = [world.register(1), world.register(2)];
    world.shards.join(1, member(1, GROUP));
    world.shards.join(2, member(1, GROUP));
    await publish(world, 4);
    expect(one.dispatched).toHaveLength(2);
    expect(two.dispatched).toHaveLength(2);
    world.shards.unregister(2);
    await publish(world, 2, 5);
    expect(one.dispatched.map(({ payload }) => payload).slice(2)).toEqual(["5", "6"]);
  });
});
