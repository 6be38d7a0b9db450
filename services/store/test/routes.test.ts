import { describe, expect, test } from "vitest";
import { settled, startedWorld, willOf } from "./harness.ts";

describe("routes", () => {
  test("a queue begins with the first message after its route", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route("other");
    const [topic] = world.neighbours(2);
    world.publish(1, { topic, payload: "before", qos: 1, retain: true });
    await world.route("t/#");
    const { shard } = world.publish(1, { topic, payload: "after", qos: 1 });
    await settled();
    expect((await world.read("t/#", shard)).map(({ payload }) => payload)).toEqual(["after"]);
  });

  test("very many are taken in slices, and what comes meanwhile behind them", async () => {
    const world = await startedWorld();
    world.register(1);
    const { routeSink } = world.service;
    const changes = Array.from({ length: 5_000 }, (_, i) => ({ filter: `f/${i}`, add: true }));
    const of = { group: 1, term: 2 };
    const whole = routeSink.routes({ ...of, seq: 0, whole: true, changes });
    const gone = routeSink.routes({
      ...of,
      seq: 1,
      whole: false,
      changes: [{ filter: "f/4999", add: false }],
    });
    const former = routeSink.routes({ ...of, term: 1, seq: 0, whole: true, changes: [] });
    const refused = former.catch((error: unknown) => error);
    let turns = 0;
    let isOver = false;
    void whole.then(() => {
      isOver = true;
    });
    for (; !isOver; turns++) await new Promise((resolve) => setImmediate(resolve));
    expect(turns).toBeGreaterThan(10);
    await gone;
    expect(await refused).toMatchObject({ code: "stale" });
    for (const topic of ["f/0", "f/4998", "f/4999"]) {
      world.publish(1, { topic, payload: topic, qos: 1 });
    }
    await settled();
    expect(world.shards.counts().queuedMessages).toBe(2);
  });

  test("a route that goes takes its queue along, with what was on its way", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route("a", "+");
    const { shard } = world.publish(1, { topic: "a", payload: "1", qos: 1 });
    const release = world.holdDisk();
    world.publish(1, { topic: "a", payload: "2", qos: 1 });
    await world.unroute("a");
    release();
    await settled();
    expect(world.disk.shard(shard).queues.has("a")).toBe(false);
    expect(await world.read("+", shard)).toHaveLength(2);
    expect(world.shards.counts()).toMatchObject({ queuedMessages: 2 });
  });

  test("one that comes back at once has a new, empty queue that nothing is lost from", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route("a");
    world.publish(1, { topic: "a", payload: "old", qos: 1 });
    await settled();
    const release = world.holdDisk();
    const { shard } = world.publish(1, { topic: "a", payload: "old too", qos: 1 });
    await world.unroute("a");
    let isInForce = false;
    const back = world.route("a").then(() => {
      isInForce = true;
      world.publish(1, { topic: "a", payload: "new", qos: 1 });
    });
    const behind = world.route("b");
    await settled();
    expect(isInForce).toBe(false);
    release();
    await Promise.all([back, behind]);
    await settled();
    expect((await world.read("a", shard)).map(({ payload }) => payload)).toEqual(["new"]);
    world.publish(1, { topic: "b", payload: "b", qos: 1 });
    await settled();
    expect(await world.read("b", world.topic("b").shard)).toHaveLength(1);
  });

  test("at the start queues without a route are removed, and routes are loaded", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route("a", "b");
    const a = world.publish(1, { topic: "a", qos: 1 });
    const b = world.publish(1, { topic: "b", qos: 1 });
    await settled();
    world.sessions.filters.delete("a");
    await world.restart();
    await settled();
    expect(world.disk.shard(a.shard).queues.has("a")).toBe(false);
    expect(world.disk.shard(b.shard).queues.has("b")).toBe(true);
    expect(world.shards.counts()).toMatchObject({ queuedMessages: 1 });
    world.register(1);
    world.publish(1, { topic: "b", qos: 1 });
    await settled();
    expect(await world.read("b", b.shard)).toHaveLength(2);
  });

  test("what sessions ask for before the start waits for it", async () => {
    const world = await startedWorld();
    await world.service.stop();
    const restarted = world.restart();
    const { routeSink } = world.service;
    const heads = routeSink.heads();
    const will = routeSink.publishWill(
      willOf(1, 1, world.record({ topic: "w", qos: 1, retain: true })),
    );
    await Promise.all([restarted, heads, will]);
    expect(Math.min(...(await heads).map((head) => head ?? 0))).toBeGreaterThan(0);
    expect(world.shards.counts().retained).toBe(1);
  });
});

describe("reads", () => {
  test("equal ranges that are asked for together are read once", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route("a");
    const { shard } = world.publish(1, { topic: "a", qos: 1 });
    await settled();
    const request = { shard, queues: [{ queue: "a", after: 0 }], messages: 10, bytes: 1_000 };
    const [first] = await Promise.all([
      world.shards.read([request, { ...request }]),
      world.shards.read([{ ...request, messages: 9 }]),
    ]);
    expect(first[0]).toBe(first[1]);
    expect(first[0]?.messages).toHaveLength(1);
  });
});
