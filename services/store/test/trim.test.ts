import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settled, startedWorld } from "./harness.ts";

type World = Awaited<ReturnType<typeof startedWorld>>;

const NO_LIMITS = {
  maxQueuedMessages: 1e6,
  maxQueuedBytes: 1e9,
  maxQueuedAge: 0,
  maxRetained: 0,
};

describe("trimming", () => {
  test("what every session has finished leaves the queue", async () => {
    const world = await startedWorld();
    const shard = await fill(world, 5);
    const offsets = (await world.read("a", shard)).map(({ offset }) => offset);
    world.sessions.low.set(`a ${shard}`, offsets[2]!);
    await passes(world, 3);
    expect((await world.read("a", shard)).map(({ offset }) => offset)).toEqual(offsets.slice(3));
    expect(world.shards.counts().queuedMessages).toBe(2);
    expect(world.shards.counts().dropped).toBe(0);
  });

  test("a queue that nothing happens to is looked at less and less, but is looked at", async () => {
    const world = await startedWorld();
    const shard = await fill(world, 3);
    await passes(world, 200);
    world.sessions.low.set(`a ${shard}`, world.disk.shard(shard).head);
    await passes(world, 61);
    expect(world.shards.counts().queuedMessages).toBe(0);
    expect(await world.read("a", shard)).toEqual([]);
  });

  test("a message never leaves a queue before every session has finished it", async () => {
    const step = fc.record({
      publish: fc.nat(3),
      session: fc.nat(2),
      moves: fc.nat(4),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const world = await startedWorld();
        const peer = world.register(1);
        await world.route("a");
        await world.subscribe(1, "a");
        const { shard } = world.topic("a");
        const cursors = [0, 0, 0];
        for (const { publish, session, moves } of steps) {
          for (let i = 0; i < publish; i++) world.publish(1, { topic: "a", qos: 1 });
          await settled();
          const stored = peer.pushed.map(({ offset }) => offset);
          const at = stored.filter((offset) => offset <= cursors[session]!).length;
          cursors[session] = stored[Math.min(at + moves, stored.length) - 1] ?? 0;
          const lowest = Math.min(...cursors);
          world.sessions.low.set(`a ${shard}`, lowest);
          await passes(world, 1);
          const left = (await world.read("a", shard)).map(({ offset }) => offset);
          const needed = stored.filter((offset) => offset > lowest);
          expect(left.slice(left.length - needed.length)).toEqual(needed);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("limits of queues", () => {
  test("beyond the number of messages the oldest are dropped and counted", async () => {
    const world = await startedWorld({ limits: { ...NO_LIMITS, maxQueuedMessages: 10 } });
    const shard = await fill(world, 25);
    await passes(world, 2);
    const left = await world.read("a", shard);
    expect(left.map(({ payload }) => payload)).toEqual(
      Array.from({ length: 10 }, (_, i) => `${15 + i}`),
    );
    expect(world.shards.counts()).toMatchObject({ dropped: 15, queuedMessages: 10 });
  });

  test("[MQTT-4.6.0-5] what readers have jumped over does not come back after a crash", async () => {
    const world = await startedWorld({ limits: { ...NO_LIMITS, maxQueuedMessages: 10 } });
    const shard = await fill(world, 25);
    await passes(world, 2);
    // a session that had read nothing yet was given these, and what it has read is not known yet
    const given = await world.read("a", shard);
    expect(given).toHaveLength(10);
    world.disk.loseTrims();
    await world.restart();
    expect(await world.read("a", shard)).toEqual(given);
    await passes(world, 2);
    expect(world.shards.counts()).toMatchObject({ queuedMessages: 10, dropped: 0 });
  });

  test("readers jump over a drop only when it is on disk", async () => {
    const world = await startedWorld({ limits: { ...NO_LIMITS, maxQueuedMessages: 10 } });
    const shard = await fill(world, 25);
    const release = world.holdDisk();
    await passes(world, 2);
    expect(await world.read("a", shard)).toHaveLength(25);
    expect(world.shards.counts().dropped).toBe(0);
    release();
    await settled();
    expect(await world.read("a", shard)).toHaveLength(10);
    expect(world.shards.counts()).toMatchObject({ queuedMessages: 10, dropped: 15 });
  });

  test("while one queue's drop waits for the disk others are looked at", async () => {
    const world = await startedWorld({ limits: { ...NO_LIMITS, maxQueuedMessages: 10 } });
    await world.route("+");
    const shard = await fill(world, 25);
    const release = world.holdDisk();
    await passes(world, 3);
    release();
    await settled();
    expect(await world.read("a", shard)).toHaveLength(10);
    expect(await world.read("+", shard)).toHaveLength(10);
    expect(world.shards.counts()).toMatchObject({ queuedMessages: 20, dropped: 30 });
  });

  test("a drop that failed is tried again", async () => {
    const world = await startedWorld({ limits: { ...NO_LIMITS, maxQueuedMessages: 10 } });
    const shard = await fill(world, 25);
    world.disk.fault = "full";
    await passes(world, 3);
    expect(await world.read("a", shard)).toHaveLength(25);
    world.disk.fault = undefined;
    await passes(world, 3);
    expect(await world.read("a", shard)).toHaveLength(10);
    expect(world.shards.counts()).toMatchObject({ queuedMessages: 10, dropped: 15 });
  });

  test("beyond the bytes too", async () => {
    const world = await startedWorld({ limits: { ...NO_LIMITS, maxQueuedBytes: 5_000 } });
    await fill(world, 20, "x".repeat(970));
    await passes(world, 2);
    expect(world.shards.counts().queuedMessages).toBe(5);
    expect(world.shards.counts().dropped).toBe(15);
    expect(world.shards.counts().queuedBytes).toBeLessThanOrEqual(5_000);
  });

  test("a queue that grows fast is not waited for", async () => {
    const world = await startedWorld({ limits: { ...NO_LIMITS, maxQueuedMessages: 10 } });
    await fill(world, 25);
    world.time.advance(50);
    await settled();
    expect(world.shards.counts().queuedMessages).toBe(10);
  });

  test("messages that are too old are dropped", async () => {
    const world = await startedWorld({ limits: { ...NO_LIMITS, maxQueuedAge: 60_000 } });
    await fill(world, 150);
    world.time.advance(30_000);
    const shard = await fill(world, 5);
    await passes(world, 25);
    expect(world.shards.counts().queuedMessages).toBe(155);
    await passes(world, 15);
    expect(world.shards.counts()).toMatchObject({ queuedMessages: 5, dropped: 150 });
    expect(await world.read("a", shard)).toHaveLength(5);
  });

  test("counts stay right while messages keep coming", async () => {
    const world = await startedWorld({ limits: { ...NO_LIMITS, maxQueuedMessages: 100 } });
    const shard = await fill(world, 10);
    for (let i = 0; i < 300; i++) {
      for (let j = 0; j < 5; j++) world.publish(1, { topic: "a", qos: 1 });
      world.time.advance(10);
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
    await passes(world, 3);
    const { queuedMessages, dropped } = world.shards.counts();
    expect(queuedMessages).toBe(100);
    expect(dropped).toBe(10 + 300 * 5 - 100);
    expect(world.disk.shard(shard).queues.get("a")).toHaveLength(100);
  });

  test("a message in two queues counts twice", async () => {
    const world = await startedWorld();
    await world.route("+");
    await fill(world, 3);
    expect(world.shards.counts().queuedMessages).toBe(6);
    expect(world.shards.counts().storedMessages).toBe(3);
  });
});

async function fill(world: World, count: number, payload?: string): Promise<number> {
  world.register(1);
  await world.route("a");
  for (let i = 0; i < count; i++) {
    world.publish(1, { topic: "a", payload: payload ?? `${i}`, qos: 1 });
  }
  await settled();
  return world.topic("a").shard;
}

async function passes(world: World, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    world.time.advance(1_000);
    await settled();
  }
}
