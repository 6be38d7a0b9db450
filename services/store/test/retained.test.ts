import type { Offset, RetainedPosition } from "@canopy/store";
import { describe, expect, test } from "vitest";
import { SHARDS, settled, startedWorld } from "./harness.ts";

type World = Awaited<ReturnType<typeof startedWorld>>;

const EVERYTHING: readonly Offset[] = Array.from({ length: SHARDS }, () => Number.MAX_SAFE_INTEGER);

describe("what is retained", () => {
  test("[MQTT-3.3.1-5] a later value takes the place of an earlier one", async () => {
    const world = await startedWorld();
    world.register(1);
    world.publish(1, { topic: "a", payload: "1", retain: true, qos: 1 });
    world.publish(1, { topic: "a", payload: "2", retain: true });
    await settled();
    expect(await retained(world, "a")).toEqual(["a=2"]);
    expect(world.shards.counts().retained).toBe(1);
  });

  test("[MQTT-3.3.1-8] a message without RETAIN leaves the value alone", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route("a");
    world.publish(1, { topic: "a", payload: "1", retain: true });
    world.publish(1, { topic: "a", payload: "2", qos: 1 }, { topic: "a", payload: "3" });
    await settled();
    expect(await retained(world, "a")).toEqual(["a=1"]);
  });

  test("[MQTT-3.3.1-6] [MQTT-3.3.1-7] an empty payload removes the value, and is delivered", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    world.publish(1, { topic: "a", payload: "1", retain: true, qos: 1 });
    const { shard } = world.publish(1, { topic: "a", payload: "", retain: true, qos: 1 });
    await settled();
    expect(await retained(world, "a")).toEqual([]);
    expect(peer.payloads()).toEqual(["1", ""]);
    expect((await world.read("a", shard)).map(({ payload }) => payload)).toEqual(["1", ""]);
  });

  test("a removal that nobody keeps stores no body; of nothing it needs no disk", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.subscribe(1, "a");
    const { shard } = world.publish(1, { topic: "a", payload: "1", retain: true, qos: 1 });
    world.publish(1, { topic: "a", payload: "", retain: true, qos: 1 });
    await settled();
    expect(world.disk.shard(shard).bodies.size).toBe(1);
    expect(await retained(world, "a")).toEqual([]);
    peer.trace.length = 0;
    world.publish(1, { topic: "a", payload: "", retain: true, qos: 1 });
    expect(peer.trace).toEqual(["push ", "answer 0 0x00"]);
  });

  test("only what is posted to a queue is pushed with an offset", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    const [kept, other] = world.neighbours(2);
    await world.route(kept);
    await world.subscribe(1, "#");
    world.publish(
      1,
      { topic: kept, retain: true, qos: 1 },
      { topic: kept, retain: true, qos: 0 },
      { topic: other, retain: true, qos: 1 },
    );
    await settled();
    expect(peer.pushed.map(({ offset }) => offset > 0)).toEqual([true, false, false]);
  });

  test("beyond the limit a message is delivered and not retained; known topics still change", async () => {
    const world = await startedWorld({
      limits: { maxQueuedMessages: 1e6, maxQueuedBytes: 1e9, maxQueuedAge: 0, maxRetained: 2 },
    });
    const peer = world.register(1);
    await world.subscribe(1, "#");
    for (const name of ["a", "b", "c"]) {
      world.publish(1, { topic: name, payload: "1", retain: true, qos: 1 });
    }
    await settled();
    world.publish(1, { topic: "a", payload: "2", retain: true, qos: 1 });
    world.publish(1, { topic: "d", payload: "1", retain: true, qos: 1 });
    await settled();
    expect(await retained(world, "#")).toEqual(["a=2", "b=1"]);
    expect(peer.codes()).toEqual([0, 0, 0, 0, 0]);
    expect(peer.payloads()).toHaveLength(5);
    expect(world.service.counters.notRetained).toBe(2);
    world.publish(1, { topic: "a", payload: "", retain: true });
    await settled();
    world.publish(1, { topic: "c", payload: "now", retain: true });
    await settled();
    expect(await retained(world, "#")).toEqual(["b=1", "c=now"]);
  });
});

describe("retained values for a subscriber", () => {
  test("they come in pages from all shards that the filter concerns", async () => {
    const world = await startedWorld();
    world.register(1);
    const names = Array.from({ length: 50 }, (_, i) => `r/${i}`);
    for (const topic of names) world.publish(1, { topic, payload: "v", retain: true });
    world.publish(1, { topic: "other", payload: "v", retain: true });
    await settled();
    expect(await retained(world, "r/+", 7)).toEqual(names.map((name) => `${name}=v`).sort());
    expect(await retained(world, "r/3", 7)).toEqual(["r/3=v"]);
  });

  test("they go on behind any value of a page, also one that is gone", async () => {
    const world = await startedWorld();
    world.register(1);
    const names = Array.from({ length: 50 }, (_, i) => `r/${i}`);
    for (const topic of names) world.publish(1, { topic, payload: "v", retain: true });
    await settled();
    const request = { filter: "r/+", upTo: EVERYTHING, messages: 100, bytes: 1e6 };
    const all = (await world.shards.retained({ ...request, after: undefined })).messages;
    for (const [i, { shard, topic }] of all.entries()) {
      if (i % 7 !== 0) continue;
      world.publish(1, { topic, payload: "", retain: true });
      await settled();
      const rest = await world.shards.retained({ ...request, after: { shard, topic } });
      expect(rest.messages.map((one) => one.topic)).toEqual(
        all.slice(i + 1).map((one) => one.topic),
      );
    }
  });

  test("only those up to the given offset: later ones come live", async () => {
    const world = await startedWorld();
    world.register(1);
    const [one, two] = world.neighbours(2);
    world.publish(1, { topic: one, payload: "old", retain: true });
    world.publish(1, { topic: two, payload: "old", retain: true });
    const upTo = await world.subscribe(1, "t/#");
    world.publish(1, { topic: one, payload: "new", retain: true });
    await settled();
    expect(await retained(world, "t/#", 10, upTo)).toEqual([`${two}=old`]);
  });

  test("[MQTT-3.3.2-5] an expired value is not given, and is removed in time", async () => {
    const world = await startedWorld();
    world.register(1);
    const { shard } = world.publish(1, { topic: "a", retain: true, expiry: 10 });
    world.publish(1, { topic: "b", retain: true });
    await settled();
    const offset = world.disk.shard(shard).head;
    expect(await world.shards.retainedAt(shard, "a", offset)).toBeDefined();
    world.time.advance(9_000);
    expect(await retained(world, "#")).toEqual(["a=a", "b=b"]);
    world.time.advance(1_000);
    expect(await retained(world, "#")).toEqual(["b=b"]);
    expect(await world.shards.retainedAt(shard, "a", offset)).toBe(undefined);
    await passes(world, 3);
    expect(world.shards.counts().retained).toBe(1);
  });

  test("after a restart values that expire are still known and removed", async () => {
    const world = await startedWorld();
    world.register(1);
    for (let i = 0; i < 150; i++) world.publish(1, { topic: `a/${i}`, retain: true, expiry: 10 });
    await settled();
    await world.restart();
    world.time.advance(10_000);
    await settled();
    await passes(world, 6);
    expect(world.shards.counts().retained).toBe(0);
  });

  test("a value that takes the place of an expired one stays", async () => {
    const world = await startedWorld();
    world.register(1);
    world.publish(1, { topic: "a", payload: "old", retain: true, expiry: 1 });
    await settled();
    world.time.advance(999);
    world.publish(1, { topic: "a", payload: "new", retain: true });
    await passes(world, 5);
    expect(await retained(world, "a")).toEqual(["a=new"]);
  });

  test("retainedAt() gives a value only while it is the one with that offset", async () => {
    const world = await startedWorld();
    world.register(1);
    const { shard } = world.publish(1, { topic: "a", payload: "1", retain: true });
    await settled();
    const offset = world.disk.shard(shard).head;
    expect(await world.shards.retainedAt(shard, "a", offset)).toEqual(
      Uint8Array.from(world.disk.shard(shard).bodies.get(offset)!),
    );
    world.publish(1, { topic: "a", payload: "2", retain: true });
    await settled();
    expect(await world.shards.retainedAt(shard, "a", offset)).toBe(undefined);
  });
});

async function passes(world: World, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    world.time.advance(1_000);
    await settled();
  }
}

async function retained(
  world: World,
  filter: string,
  messages = 100,
  upTo = EVERYTHING,
): Promise<string[]> {
  const found: string[] = [];
  let after: RetainedPosition | undefined;
  do {
    const page = await world.shards.retained({ filter, upTo, after, messages, bytes: 1e6 });
    expect(page.messages.length).toBeLessThanOrEqual(messages);
    for (const { topic, body } of page.messages) found.push(`${topic}=${world.payload(body)}`);
    after = page.next;
  } while (after !== undefined);
  return found.sort();
}
