import { silentLogger } from "@canopy/base";
import { epochOf, OFFSETS_PER_EPOCH, StoreError } from "@canopy/store";
import { MemoryDisk, MemoryStore } from "@canopy/store/memory";
import { FakeTime } from "@canopy/testkit";
import { describe, expect, test } from "vitest";
import { Owner } from "../src/owner.ts";
import { settled, startedWorld } from "./harness.ts";

describe("the backend fails", () => {
  test("nothing of the append is pushed, and each message of QoS ≥ 1 is answered 0x80", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    world.disk.fault = "unavailable";
    const batch = world.publish(1, { topic: "a", qos: 1 }, { topic: "a", qos: 2 });
    await settled();
    expect(peer.trace).toEqual(["answer 0 0x80", "answer 1 0x80"]);
    expect(peer.back).toEqual([batch]);
    expect(world.shards.counts().storedMessages).toBe(0);
  });

  test("a full disk is answered 0x97 (Quota exceeded)", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    world.disk.fault = "full";
    world.publish(1, { topic: "a", qos: 1 });
    await settled();
    expect(peer.codes()).toEqual([0x97]);
  });

  test("QoS 0 goes on, and retained QoS 0 is pushed, not retained, and counted", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    world.disk.fault = "unavailable";
    world.publish(1, { topic: "a", payload: "1", retain: true }, { topic: "a", payload: "2" });
    await settled();
    expect(peer.trace).toEqual(["push 1", "push 2"]);
    expect(world.service.counters.notRetained).toBe(1);
    expect(world.shards.counts().retained).toBe(0);
  });

  test("it goes on by itself afterwards; no offset is used twice", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    world.publish(1, { topic: "a", payload: "1", qos: 1 });
    await settled();
    world.disk.fault = "unavailable";
    world.publish(1, { topic: "a", payload: "lost", qos: 1 });
    await settled();
    world.disk.fault = undefined;
    const { shard } = world.publish(1, { topic: "a", payload: "2", qos: 1 });
    await settled();
    expect(peer.codes()).toEqual([0, 0x80, 0]);
    expect(peer.payloads()).toEqual(["1", "2"]);
    const [first, second] = peer.pushed.map(({ offset }) => offset);
    expect(second! - first!).toBe(2);
    expect(await world.read("a", shard)).toEqual(peer.pushed);
  });

  test("a later batch fails with an earlier one, in order", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    const release = world.holdDisk();
    world.disk.fault = "unavailable";
    world.publish(1, { topic: "a", qos: 1 });
    world.publish(1, { topic: "a", qos: 1 });
    release();
    await settled();
    expect(peer.codes()).toEqual([0x80, 0x80]);
  });

  test("a shard that somebody else has opened is opened again under a new epoch", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    const { shard } = world.publish(1, { topic: "a", payload: "1", qos: 1 });
    await settled();
    const other = new MemoryStore(world.disk);
    await other.open(shard, (await other.epoch(shard)) + 1);
    world.publish(1, { topic: "a", payload: "2", qos: 1 });
    await settled();
    world.publish(1, { topic: "a", payload: "3", qos: 1 });
    await settled();
    expect(peer.codes()).toEqual([0, 0x80, 0]);
    expect(peer.payloads()).toEqual(["1", "3"]);
    expect(peer.pushed.map(({ offset }) => epochOf(offset))).toEqual([1, 3]);
    expect(peer.pushes.at(-1)?.epoch).toBe(3);
  });

  test("while it can't be opened errors are prompt; then it recovers", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    const { shard } = world.topic("a");
    const other = new MemoryStore(world.disk);
    await other.open(shard, (await other.epoch(shard)) + 1);
    world.publish(1, { topic: "a", payload: "fenced", qos: 1 });
    await settled();
    world.disk.fault = "unavailable";
    world.publish(1, { topic: "a", payload: "opening fails", qos: 1 });
    await settled();
    world.publish(1, { topic: "a", payload: "at once", qos: 1 });
    expect(peer.codes()).toEqual([0x80, 0x80, 0x80]);
    world.disk.fault = undefined;
    world.time.advance(1_000);
    world.publish(1, { topic: "a", payload: "recovered", qos: 1 });
    await settled();
    expect(peer.codes().at(-1)).toBe(0);
    expect(peer.payloads()).toEqual(["recovered"]);
  });

  test("a shard that was lost is opened again for whoever reads", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.route("a");
    const { shard } = world.publish(1, { topic: "a", payload: "1", qos: 1 });
    await settled();
    world.disk.shard(shard).epoch++;
    world.publish(1, { topic: "a", payload: "2", qos: 1 });
    await settled();
    await expect(world.read("a", shard)).rejects.toThrow("not open");
    await settled();
    expect(await world.read("a", shard)).toHaveLength(1);
  });

  test("reads of a shard that is not open are rejected with a StoreError", async () => {
    const world = await startedWorld();
    await world.service.stop();
    await expect(world.read("a", 0)).rejects.toThrow(StoreError);
  });
});

describe("the backend does not answer", () => {
  test("after the wait timeout messages are answered 0x80; stored later, they are still pushed", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    const release = world.holdDisk();
    const batch = world.publish(1, { topic: "a", payload: "1", qos: 1 });
    await settled();
    world.time.advance(4_999);
    expect(peer.trace).toEqual([]);
    world.time.advance(1);
    expect(peer.trace).toEqual(["answer 0 0x80"]);
    expect(peer.back).toEqual([batch]);
    batch.records.bytes.fill(0);
    release();
    await settled();
    expect(peer.trace).toEqual(["answer 0 0x80", "push 1"]);
    expect(peer.back).toHaveLength(1);
  });

  test("a message with a receipt may be stored already: it gets no error, but waits", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    const release = world.holdDisk();
    const batch = world.publish(1, { topic: "a", qos: 1 }, { topic: "a", qos: 2, receipt: [7, 1] });
    world.time.advance(60_000);
    expect(peer.trace).toEqual(["answer 0 0x80"]);
    expect(peer.back).toEqual([]);
    release();
    await settled();
    expect(peer.trace).toEqual(["answer 0 0x80", "answer 1 0x00"]);
    expect(peer.back).toEqual([batch]);
  });

  test("what waits is bounded: beyond it 0x97, and QoS 0 that may not overtake is dropped", async () => {
    const world = await startedWorld({ maxUnsettledBytes: 5_000 });
    const peer = world.register(1);
    const [a, b, c] = world.neighbours(3) as [string, string, string];
    await world.route(a);
    await world.subscribe(1, "#");
    const release = world.holdDisk();
    const payload = "x".repeat(1_000);
    const large = "y".repeat(1_000);
    world.publish(1, { topic: b, payload: "on its way", retain: true });
    for (let i = 0; i < 6; i++) world.publish(1, { topic: a, qos: 1, payload });
    expect(peer.codes()).toEqual([0x97, 0x97, 0x97]);
    world.publish(1, { topic: b, payload, retain: true });
    world.publish(1, { topic: c, payload: large, retain: true });
    expect(peer.payloads()).toEqual([large]);
    expect(world.service.counters).toMatchObject({ refused: 1, notRetained: 2 });
    release();
    await settled();
    expect(peer.codes()).toEqual([0x97, 0x97, 0x97, 0, 0, 0]);
    expect(peer.payloads()).toEqual([large, "on its way", payload, payload, payload]);
    world.publish(1, { topic: a, qos: 1, payload });
    await settled();
    expect(peer.codes().at(-1)).toBe(0);
  });
});

describe("offsets", () => {
  test("when an epoch's offsets are used up the next begins; nothing is lost meanwhile", async () => {
    const owner: Owner = new Owner({
      backend: new MemoryStore(new MemoryDisk()),
      shard: 0,
      clock: new FakeTime(),
      logger: silentLogger,
      ask: async (above) => {
        owner.own(above + 1);
        await owner.open();
        owner.opened(undefined);
      },
    });
    owner.own(1);
    await owner.open();
    expect(owner.assign(1)).toBe(OFFSETS_PER_EPOCH + 1);
    expect(owner.assign(OFFSETS_PER_EPOCH - 3)).toBe(OFFSETS_PER_EPOCH + 2);
    expect(owner.assign(2)).toBe(0);
    expect(owner.assign(1)).toBe(2 * OFFSETS_PER_EPOCH - 1);
    expect(owner.assign(1)).toBe(0);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    owner.opened = resolve;
    expect(owner.reopen()).toBe(true);
    expect(await promise).toBe(undefined);
    expect(owner.assign(1)).toBe(2 * OFFSETS_PER_EPOCH + 1);
  });
});
