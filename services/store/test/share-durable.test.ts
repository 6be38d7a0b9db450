import { describe, expect, test } from "vitest";
import { GROUP, got, join, passes, publish, settleAll, topics } from "./groups.ts";
import { member, settled, startedWorld } from "./harness.ts";

describe("groups with a durable member", () => {
  test("a message is dispatched and answered after the disk has it", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true }));
    const [topic] = topics(world);
    const release = world.holdDisk();
    world.publish(1, { topic, payload: "1", qos: 1 });
    await settled();
    expect(peer.trace).toEqual([]);
    release();
    await settled();
    expect(peer.trace).toEqual(["dispatch 1 1", "answer 0 0x00"]);
    expect(peer.dispatched[0]!.offset).toBe(world.disk.shard(peer.dispatched[0]!.shard).head);
  });

  test("messages wait while all members are away, and come in order", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    await publish(world, 5);
    expect(peer.codes()).toEqual([0, 0, 0, 0, 0]);
    join(world, member(1, GROUP, { durable: true }));
    await settled();
    expect(got(peer, 1)).toEqual(["1", "2", "3", "4", "5"]);
    await publish(world, 1, 6);
    expect(got(peer, 1).at(-1)).toBe("6");
  });

  test("a member gets no more than its window; the next come as it acknowledges", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true, window: 2 }));
    const shard = await publish(world, 300);
    expect(got(peer, 1)).toEqual(["1", "2"]);
    for (let i = 0; i < 300; i++) {
      world.shards.settle(1, 1, shard, peer.dispatched[i]!.offset);
      await settled();
      expect(peer.dispatched.length).toBe(Math.min(i + 3, 300));
    }
    expect(got(peer, 1)).toEqual(Array.from({ length: 300 }, (_, i) => `${i + 1}`));
    await publish(world, 1, 301);
    expect(got(peer, 1).at(-1)).toBe("301");
  });

  test("what a member leaves goes to others before anything new, in order", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true, window: 3 }));
    await publish(world, 6);
    expect(got(peer, 1)).toEqual(["1", "2", "3"]);
    world.shards.leave(1, 1, [], []);
    join(world, member(2, GROUP, { durable: true, window: 100 }));
    await settled();
    expect(got(peer, 2)).toEqual(["1", "2", "3", "4", "5", "6"]);
  });

  test("a transient member takes stored messages too", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP), member(2, GROUP, { durable: true }));
    await publish(world, 4);
    expect(got(peer, 1)).toHaveLength(2);
    expect(got(peer, 2)).toHaveLength(2);
    expect(peer.dispatched.every(({ offset }) => offset > 0)).toBe(true);
  });

  test("a member granted QoS 0 finishes a message by getting it", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { qos: 0, window: 1 }));
    const shard = await publish(world, 5);
    expect(got(peer, 1)).toHaveLength(5);
    await passes(world, 2);
    expect(world.disk.shard(shard).queues.has(GROUP)).toBe(false);
  });

  test("[MQTT-4.8.2-4] a QoS 2 delivery that a session has begun stays with it", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true, qos: 2 }), member(2, GROUP, { window: 1 }));
    const shard = await publish(world, 3);
    const [kept, other] = peer.dispatched.filter((one) => one.member === 1);
    expect(other).toBeDefined();
    world.sessions.unfinished.set(`${GROUP} ${shard}`, [kept!.offset]);
    world.shards.settle(1, 2, shard, peer.dispatched.find((one) => one.member === 2)!.offset);
    world.shards.leave(1, 1, [{ shard, offset: kept!.offset }], []);
    await settled();
    expect(got(peer, 2)).toContain(other!.payload);
    await passes(world, 3);
    expect(got(peer, 2)).not.toContain(kept!.payload);
    expect(await world.read(GROUP, shard)).not.toEqual([]);
    await world.shards.settleDurably(GROUP, shard, kept!.offset);
    world.shards.settle(1, 2, shard, other!.offset);
    await passes(world, 3);
    expect(got(peer, 2)).not.toContain(kept!.payload);
    expect(await world.read(GROUP, shard)).toEqual([]);
  });

  test("[MQTT-4.8.2-5] when that session ends, nobody else gets the message", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true, qos: 2 }), member(2, GROUP));
    const shard = await publish(world, 1);
    const [kept] = peer.dispatched;
    world.sessions.unfinished.set(`${GROUP} ${shard}`, [kept!.offset]);
    world.shards.leave(1, kept!.member, [{ shard, offset: kept!.offset }], []);
    await passes(world, 2);
    expect(await world.read(GROUP, shard)).toHaveLength(1);
    world.sessions.unfinished.clear();
    await passes(world, 3);
    expect(await world.read(GROUP, shard)).toEqual([]);
    expect(peer.dispatched).toHaveLength(1);
  });

  test("[MQTT-4.8.2-4] when a gateway is down, the sessions say what belongs to them", async () => {
    const world = await startedWorld();
    const [one, two] = [world.register(1), world.register(2)];
    await world.route(GROUP);
    world.shards.join(2, member(1, GROUP, { durable: true, qos: 2 }));
    const shard = await publish(world, 3);
    world.sessions.unfinished.set(`${GROUP} ${shard}`, [two.dispatched[1]!.offset]);
    world.shards.unregister(2);
    world.shards.join(1, member(1, GROUP, { durable: true }));
    await settled();
    expect(got(one, 1)).toEqual(["1", "3"]);
  });

  test("settleDurably() settles when the progress is on disk; it may be said again", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true, qos: 2 }));
    const shard = await publish(world, 2);
    const release = world.holdDisk();
    let isDone = false;
    const done = world.shards.settleDurably(GROUP, shard, peer.dispatched[0]!.offset).then(() => {
      isDone = true;
    });
    await settled();
    expect(isDone).toBe(false);
    release();
    await done;
    await world.shards.settleDurably(GROUP, shard, peer.dispatched[0]!.offset);
    await world.restart();
    const again = world.register(1);
    join(world, member(1, GROUP, { durable: true, qos: 2 }));
    await settled();
    expect(got(again, 1)).toEqual(["2"]);
  });

  test("after a restart what was outstanding is dispatched again, and nothing that was finished", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true, qos: 2, window: 6 }));
    const shard = await publish(world, 10);
    for (const at of [0, 2, 3]) world.shards.settle(1, 1, shard, peer.dispatched[at]!.offset);
    await settled();
    world.time.advance(200);
    await settled();
    const kept = peer.dispatched[4]!;
    world.sessions.unfinished.set(`${GROUP} ${shard}`, [kept.offset]);
    await world.restart();
    const again = world.register(1);
    join(world, member(1, GROUP, { durable: true, window: 100 }));
    await settled();
    expect(got(again, 1)).toEqual(["2", "6", "7", "8", "9", "10"]);
    await world.shards.settleDurably(GROUP, shard, kept.offset);
    for (const one of again.dispatched) world.shards.settle(1, 1, shard, one.offset);
    await passes(world, 3);
    expect(await world.read(GROUP, shard)).toEqual([]);
  });

  test("a QoS 2 delivery that a session knows is not dispatched again, though progress was lost", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true, qos: 2 }));
    const shard = await publish(world, 3);
    const offset = peer.dispatched[1]!.offset;
    world.sessions.unfinished.set(`${GROUP} ${shard}`, [offset]);
    world.disk.shard(shard).progress.clear();
    await world.restart();
    // It is finished before the reader comes to it.
    await world.shards.settleDurably(GROUP, shard, offset);
    world.sessions.unfinished.clear();
    await world.restart();
    const again = world.register(1);
    join(world, member(1, GROUP, { durable: true, qos: 2 }));
    await settled();
    expect(got(again, 1)).toEqual(["1", "3"]);
  });

  test("stop() writes what is not written yet", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    settleAll(world, peer);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true }));
    await publish(world, 3);
    await world.service.stop();
    await world.restart();
    const again = world.register(1);
    join(world, member(1, GROUP, { durable: true }));
    await settled();
    expect(got(again, 1)).toEqual([]);
  });

  test("the queue is trimmed up to what is finished", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true }));
    const shard = await publish(world, 5);
    for (const at of [0, 1, 3]) world.shards.settle(1, 1, shard, peer.dispatched[at]!.offset);
    await passes(world, 3);
    const left = await world.read(GROUP, shard);
    expect(left.map(({ payload }) => payload)).toEqual(["3", "4", "5"]);
  });

  test("a message that a limit took away is not dispatched again", async () => {
    const limits = { maxQueuedMessages: 2, maxQueuedBytes: 1e9, maxQueuedAge: 0, maxRetained: 0 };
    const world = await startedWorld({ limits });
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true }));
    await publish(world, 4);
    await passes(world, 2);
    world.shards.leave(1, 1, [], []);
    join(world, member(2, GROUP, { durable: true }));
    await settled();
    expect(got(peer, 2)).toEqual(["3", "4"]);
    await publish(world, 1, 5);
    expect(got(peer, 2)).toEqual(["3", "4", "5"]);
  });

  test("[MQTT-3.3.2-5] an expired message is not dispatched", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    const [topic] = topics(world);
    world.publish(
      1,
      { topic, payload: "short", qos: 1, expiry: 1 },
      { topic, payload: "long", qos: 1 },
    );
    await settled();
    world.time.advance(1_000);
    join(world, member(1, GROUP, { durable: true }));
    await settled();
    expect(got(peer, 1)).toEqual(["long"]);
  });

  test("when nobody is left the queue and the progress go", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { durable: true }));
    const shard = await publish(world, 3);
    await passes(world, 1);
    expect(world.disk.shard(shard).progress.size).toBe(1);
    world.shards.leave(1, 1, [], []);
    await world.unroute(GROUP);
    await passes(world, 1);
    expect(world.disk.shard(shard).queues.size).toBe(0);
    expect(world.disk.shard(shard).progress.size).toBe(0);
    expect(world.shards.counts().queuedMessages).toBe(0);
  });

  test("when only transient members are left they get what is stored, then the queue goes", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { window: 2 }));
    const shard = await publish(world, 4);
    await world.unroute(GROUP);
    await passes(world, 1);
    for (let i = 0; i < 4; i++) {
      world.shards.settle(1, 1, shard, peer.dispatched[i]!.offset);
      await settled();
    }
    await passes(world, 2);
    expect(got(peer, 1)).toEqual(["1", "2", "3", "4"]);
    expect(world.disk.shard(shard).queues.size).toBe(0);
    await publish(world, 1, 5);
    expect(peer.dispatched.at(-1)).toMatchObject({ payload: "5", offset: 0 });
  });

  test("hashing waits for its member instead of going to another", async () => {
    const world = await startedWorld({ shared: { strategy: "hash-topic", strategies: {} } });
    const peer = world.register(1);
    await world.route(GROUP);
    join(world, member(1, GROUP, { window: 1 }), member(2, GROUP, { window: 1 }));
    const shard = await publish(world, 3);
    expect(peer.dispatched).toHaveLength(1);
    const [first] = peer.dispatched;
    for (let i = 0; i < 3; i++) {
      world.shards.settle(1, first!.member, shard, peer.dispatched[i]!.offset);
      await settled();
    }
    expect(got(peer, first!.member)).toEqual(["1", "2", "3"]);
  });
});
