import { OFFSETS_PER_EPOCH, StoreError } from "@canopy/store";
import { MemoryDisk, MemoryStore } from "@canopy/store/memory";
import { describe, expect, test } from "vitest";
import { FakeSessions, type Sent, settled, willOf } from "./harness.ts";
import { hold, owning, StoreProcess } from "./process.ts";

const GATEWAY = 11;
const OTHER = 12;
const VERSION = 20;

const message = (payload: string, more: Partial<Sent> = {}): Sent => ({
  topic: "a",
  payload,
  qos: 1,
  ...more,
});

async function started(disk = new MemoryDisk()) {
  const process = new StoreProcess(disk);
  await process.start();
  const { shard } = process.topic("a");
  return { process, disk, shard };
}

describe("a shard that is given to this process", () => {
  test("batches wait until every live gateway knows it, and is complete", async () => {
    const { process, shard } = await started();
    const { control, shards } = process;
    for (const gateway of [GATEWAY, OTHER]) control.gatewayUp(gateway);
    const peer = process.register(GATEWAY);
    process.register(OTHER);
    let isReady = false;
    const owned = control.own(shard, 1, VERSION).then(() => {
      isReady = true;
    });
    shards.known(GATEWAY, VERSION);
    shards.resume(GATEWAY, shard, 1, 1);
    process.give(GATEWAY, 1, message("1"));
    shards.known(OTHER, VERSION - 1);
    await settled();
    expect(peer.trace).toEqual([]);
    expect(isReady).toBe(false);
    const interest = process.await(OTHER, "a");
    shards.known(OTHER, VERSION);
    await Promise.all([owned, interest]);
    expect(peer.codes()).toEqual([0]);
  });

  test("a gateway that goes down is not waited for", async () => {
    const { process, shard } = await started();
    process.control.gatewayUp(GATEWAY);
    const owned = process.control.own(shard, 1, VERSION);
    await settled();
    process.control.gatewayDown(GATEWAY);
    await owned;
    const peer = process.register(OTHER + VERSION);
    process.publish(OTHER + VERSION, message("1"));
    expect(peer.codes()).toEqual([0x10]);
  });

  test("routes of every session group are there first; a group that does not answer is asked again", async () => {
    const groups = [new FakeSessions(), new FakeSessions()];
    groups[0]!.filters.add("a");
    let fails = true;
    groups[1]!.routes = async () => {
      if (fails) throw new Error("no leader");
      return { group: 2, term: 4, seq: 0, filters: ["b"] };
    };
    const process = new StoreProcess(new MemoryDisk(), { queries: () => groups });
    await process.start();
    process.register(GATEWAY);
    const { shard } = process.topic("a");
    await expect(process.control.own(shard, 1, VERSION)).rejects.toThrow("no leader");
    const batch = process.publish(GATEWAY, message("1"));
    fails = false;
    process.time.advance(1_000);
    await settled();
    expect(await process.read("a", batch.shard)).toHaveLength(1);
  });

  test("until it is open its head is the start of its epoch, and nothing can be read", async () => {
    const { process, shard } = await started();
    const { control, shards, service } = process;
    control.gatewayUp(GATEWAY);
    process.register(GATEWAY);
    void control.own(shard, 3, VERSION);
    expect((await process.subscribe(GATEWAY, "a"))[shard]).toBe(3 * OFFSETS_PER_EPOCH);
    expect((await process.subscribe(GATEWAY, "a"))[shard === 0 ? 1 : 0]).toBe(0);
    expect((await service.routeSink.heads())[shard]).toBe(3 * OFFSETS_PER_EPOCH);
    expect((await service.routeSink.heads())[shard === 0 ? 1 : 0]).toBeUndefined();
    shards.known(GATEWAY, VERSION);
    await settled();
    expect(await process.read("a", shard)).toEqual([]);
  });

  test("a shared group's progress is not touched before what the last owner left of it is known", async () => {
    const { process, shard } = await started();
    const { control, shards } = process;
    control.gatewayUp(GATEWAY);
    process.register(GATEWAY);
    void control.own(shard, 1, VERSION);
    await settled();
    const settle = () => shards.settleDurably("$share/group/a", shard, 1);
    await expect(settle()).rejects.toMatchObject({ code: "unavailable" });
    shards.known(GATEWAY, VERSION);
    await settled();
    await settle();
  });

  test("batches that are not taken in time are given back, without an answer", async () => {
    const { process, shard } = await started();
    const peer = process.register(GATEWAY);
    process.shards.resume(GATEWAY, shard, 1, 1);
    process.give(GATEWAY, 1, message("1"));
    process.time.advance(4_999);
    expect(peer.trace).toEqual([]);
    process.time.advance(1);
    expect(peer.trace).toEqual(["not taken 1 not-owner"]);
    process.give(GATEWAY, 2, message("2"));
    await process.control.own(shard, 1, VERSION);
    expect(peer.trace.slice(1)).toEqual(["not taken 2 after-error"]);
  });

  test("a batch for a lower epoch is given back, one for a higher one waits for it", async () => {
    const disk = new MemoryDisk();
    const process = await owning(disk, 2);
    const { shard } = process.topic("a");
    const peer = process.register(GATEWAY);
    process.shards.resume(GATEWAY, shard, 1, 1);
    process.give(GATEWAY, 1, message("1"));
    expect(peer.trace).toEqual(["not taken 1 not-owner"]);
    process.shards.resume(GATEWAY, shard, 3, 1);
    process.give(GATEWAY, 1, message("1"));
    await settled();
    expect(peer.codes()).toEqual([]);
    await process.control.own(shard, 3, VERSION);
    expect(peer.codes()).toEqual([0x10]);
  });
});

describe("a shard that this process loses", () => {
  test("what waits is given back, never answered with an error; what is stored stays", async () => {
    const disk = new MemoryDisk();
    const process = await owning(disk, 1);
    await process.route("a");
    const { shard } = process.topic("a");
    const peer = process.register(GATEWAY);
    process.shards.resume(GATEWAY, shard, 1, 1);
    const release = hold(disk);
    process.give(GATEWAY, 1, message("1"));
    process.give(GATEWAY, 2, message("2", { qos: 2, receipt: [7, 1] }));
    const lost = process.control.lose(shard);
    expect(peer.trace).toEqual(["not taken 1 not-owner", "not taken 2 not-owner"]);
    process.give(GATEWAY, 3, message("3"));
    expect(peer.trace.at(-1)).toBe("not taken 3 not-owner");
    release();
    await lost;
    expect(peer.codes()).toEqual([]);
    await expect(process.read("a", shard)).rejects.toMatchObject({ code: "not-owner" });
    expect((await process.service.routeSink.heads())[shard]).toBeUndefined();

    const next = new StoreProcess(disk);
    await next.start();
    next.sessions.filters.add("a");
    await next.control.own(shard, 2, VERSION);
    expect((await next.read("a", shard)).map(({ payload }) => payload)).toEqual(["1", "2"]);
  });

  test("it can come back, and begins from its disk", async () => {
    const disk = new MemoryDisk();
    const process = await owning(disk, 1);
    await process.route("a", "$share/g/a");
    const { shard } = process.topic("a");
    const peer = process.register(GATEWAY);
    process.publish(GATEWAY, message("1", { retain: true }));
    await settled();
    await process.control.lose(shard);
    await process.control.own(shard, 2, VERSION);
    process.publish(GATEWAY, message("2"));
    await settled();
    expect(peer.codes()).toEqual([0, 0]);
    const read = await process.read("a", shard);
    expect(read.map(({ offset }) => Math.floor(offset / OFFSETS_PER_EPOCH))).toEqual([1, 2]);
    expect(process.shards.counts()).toMatchObject({ retained: 1, queuedMessages: 4 });
  });

  test("wills are refused with not-owner", async () => {
    const { process, shard } = await started();
    const record = process.record(message("w"));
    await expect(process.service.routeSink.publishWill(willOf(7, 1, record))).rejects.toMatchObject(
      {
        code: "not-owner",
      },
    );
    expect(process.asked).toEqual([]);
    expect(shard).toBeGreaterThanOrEqual(0);
  });
});

describe("an epoch that is of no use any more", () => {
  test("a higher one is asked for; meanwhile batches are given back, then they wait", async () => {
    const disk = new MemoryDisk();
    const process = await owning(disk, 1);
    await process.route("a");
    const { shard } = process.topic("a");
    const peer = process.register(GATEWAY);
    process.shards.resume(GATEWAY, shard, 1, 1);
    await new MemoryStore(disk).open(shard, 2);
    process.give(GATEWAY, 1, message("fenced"));
    await settled();
    expect(peer.trace).toEqual(["answer 0 0x80"]);
    process.shards.resume(GATEWAY, shard, 1, 2);
    process.give(GATEWAY, 2, message("2"));
    await settled();
    expect(process.asked).toEqual([[shard, 1]]);
    expect(peer.trace.slice(1)).toEqual(["not taken 2 not-owner"]);
    process.shards.resume(GATEWAY, shard, 3, 2);
    process.give(GATEWAY, 2, message("2"));
    await process.control.own(shard, 3, VERSION);
    await settled();
    expect(peer.trace.slice(2)).toEqual(["answer 0 0x00"]);
    expect(await process.read("a", shard)).toHaveLength(1);
  });

  test("one that the backend refuses is asked for higher until it takes it", async () => {
    const { process, disk, shard } = await started();
    await new MemoryStore(disk).open(shard, 5);
    await expect(process.control.own(shard, 3, VERSION)).rejects.toThrow(StoreError);
    expect(process.asked).toEqual([[shard, 3]]);
    await process.control.own(shard, 6, VERSION);
  });
});

describe("a lease that has ended", () => {
  test("nothing is answered any more, and nothing taken", async () => {
    const disk = new MemoryDisk();
    const process = await owning(disk, 1);
    await process.route("a");
    const { shard } = process.topic("a");
    const peer = process.register(GATEWAY);
    process.shards.resume(GATEWAY, shard, 1, 1);
    const release = hold(disk);
    process.give(GATEWAY, 1, message("1"));
    process.lease.isValid = false;
    release();
    await settled();
    process.give(GATEWAY, 2, message("2"));
    await settled();
    expect(peer.trace).toEqual(["not taken 1 not-owner", "not taken 2 not-owner"]);
    await expect(process.read("a", shard)).rejects.toMatchObject({ code: "unavailable" });
    await expect(process.shards.receipts(7)).rejects.toMatchObject({ code: "unavailable" });
    process.lease.isValid = true;
    process.shards.resume(GATEWAY, shard, 1, 1);
    process.give(GATEWAY, 1, message("1"));
    await settled();
    expect(peer.codes()).toEqual([0]);
    expect(await process.read("a", shard)).toHaveLength(1);
  });
});

describe("session groups", () => {
  test("a queue is trimmed to what the slowest of the groups that have it needs", async () => {
    const groups = [new FakeSessions(), new FakeSessions()];
    const process = await owning(new MemoryDisk(), 1, { queries: () => groups });
    const { routeSink } = process.service;
    for (const [i, sessions] of groups.entries()) {
      sessions.filters.add("a");
      const changes = [{ filter: "a", add: true }];
      await routeSink.routes({ group: i + 1, term: 1, seq: 1, whole: true, changes });
    }
    process.register(GATEWAY);
    const { shard } = process.publish(GATEWAY, message("1"), message("2"), message("3"));
    await settled();
    const offsets = (await process.read("a", shard)).map(({ offset }) => offset);
    groups[0]!.low.set(`a ${shard}`, offsets[2]!);
    const answer = groups[1]!.lowest.bind(groups[1]);
    groups[1]!.lowest = async () => {
      throw new Error("no leader");
    };
    process.time.advance(1_000);
    await settled();
    expect(await process.read("a", shard)).toHaveLength(3);
    groups[1]!.lowest = answer;
    groups[1]!.low.set(`a ${shard}`, offsets[0]!);
    process.time.advance(60_000);
    await settled();
    expect((await process.read("a", shard)).map(({ payload }) => payload)).toEqual(["2", "3"]);
    await routeSink.routes({ group: 2, term: 2, seq: 0, whole: true, changes: [] });
    process.time.advance(60_000);
    await settled();
    expect(await process.read("a", shard)).toEqual([]);
  });

  test("a will of a former leader is refused, also by the shard's next owner", async () => {
    const disk = new MemoryDisk();
    const process = await owning(disk, 1);
    await process.route("a");
    const record = process.record(message("will"));
    const will = (incarnation: number, term: number) => ({
      ...willOf(incarnation, 1, record),
      term,
    });
    await process.service.routeSink.publishWill(will(7, 3));
    await expect(process.service.routeSink.publishWill(will(8, 2))).rejects.toMatchObject({
      code: "stale",
    });
    const next = await owning(disk, 2);
    const { routeSink } = next.service;
    await expect(routeSink.publishWill(will(8, 2))).rejects.toMatchObject({ code: "stale" });
    await routeSink.publishWill(will(8, 3));
  });

  test("a later leader's routes end its predecessor's wills, before any of its own", async () => {
    const process = await owning(new MemoryDisk(), 1);
    const { routeSink } = process.service;
    await routeSink.routes({ group: 1, term: 9, seq: 0, whole: true, changes: [] });
    const record = process.record(message("will"));
    await expect(routeSink.publishWill(willOf(7, 1, record))).rejects.toMatchObject({
      code: "stale",
    });
  });
});
