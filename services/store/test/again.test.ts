import { STORED_BEFORE } from "@canopy/store";
import { MemoryDisk } from "@canopy/store/memory";
import { describe, expect, test } from "vitest";
import { RecordingPeer, type Sent, settled } from "./harness.ts";
import { hold, own, owning, StoreProcess } from "./process.ts";

const PUBLISHER = 11;
const SUBSCRIBER = 12;

const message = (payload: string, more: Partial<Sent> = {}): Sent => ({
  topic: "a",
  payload,
  qos: 1,
  ...more,
});

/** A process with a route, a publisher that gives batches again and a subscriber. */
async function opened(
  disk: MemoryDisk,
  epoch: number,
  seq: number,
  routes: readonly string[] = ["a"],
  live: readonly number[] = [],
) {
  const process = new StoreProcess(disk);
  for (const session of live) process.sessions.live.add(session);
  await own(process, epoch);
  await process.route(...routes);
  const publisher = process.register(PUBLISHER);
  const subscriber = process.register(SUBSCRIBER);
  await process.await(SUBSCRIBER, "#");
  resume(process, epoch, seq);
  return { process, publisher, subscriber };
}

function resume(process: StoreProcess, epoch: number, seq: number): void {
  process.shards.resume(PUBLISHER, process.topic("a").shard, epoch, seq);
}

function bodies(disk: MemoryDisk, process: StoreProcess): number {
  return disk.shard(process.topic("a").shard).bodies.size;
}

describe("batches that are given again", () => {
  test("the number of the last one is stored with it, and only where something is", async () => {
    const disk = new MemoryDisk();
    const { process, publisher } = await opened(disk, 1, 1, ["kept"]);
    const { senders } = disk.shard(process.topic("a").shard);
    process.give(PUBLISHER, 1, message("1"));
    await settled();
    expect(publisher.codes()).toEqual([0]);
    expect([...senders.keys()]).toEqual([]);
    await process.route("a");
    process.give(PUBLISHER, 2, message("2"));
    await settled();
    expect([...senders.values()]).toEqual([{ sender: `g${PUBLISHER}`, term: 0, seq: 2 }]);
  });

  test("an owner that dies between the write and the answers of two batches: the next one answers, and stores nothing twice", async () => {
    const disk = new MemoryDisk();
    const first = await opened(disk, 1, 1);
    first.process.give(PUBLISHER, 1, message("1"), message("2"));
    first.process.give(PUBLISHER, 2, message("3"));
    first.process.shards.unregister(PUBLISHER);
    first.process.shards.unregister(SUBSCRIBER);
    await settled();
    expect(first.publisher.codes()).toEqual([]);
    expect(bodies(disk, first.process)).toBe(3);

    const next = await opened(disk, 2, 1);
    next.process.give(PUBLISHER, 1, message("1"), message("2"));
    next.process.give(PUBLISHER, 2, message("3"));
    next.process.give(PUBLISHER, 3, message("4"));
    await settled();
    expect(bodies(disk, next.process)).toBe(4);
    expect(next.publisher.codes()).toEqual([0, 0, 0, 0]);
    expect(next.subscriber.payloads()).toEqual(["1", "2", "3", "4"]);
    const [one, two, three, four] = next.subscriber.pushed.map(({ offset }) => offset);
    expect([one, two, three]).toEqual([STORED_BEFORE, STORED_BEFORE, STORED_BEFORE]);
    expect(four).toBeGreaterThan(2 ** 33);
    expect(next.subscriber.pushes.map(({ gateway, seq, epoch }) => [gateway, seq, epoch])).toEqual([
      [PUBLISHER, 1, 2],
      [PUBLISHER, 2, 2],
      [PUBLISHER, 3, 2],
    ]);
  });

  test("one of which only half was pushed is pushed to all before it is answered", async () => {
    const disk = new MemoryDisk();
    const first = await opened(disk, 1, 1);
    const late = first.process.register(13);
    await first.process.await(13, "a");
    late.acknowledges = false;
    late.push = () => {};
    first.process.give(PUBLISHER, 1, message("1"));
    await settled();
    expect(first.subscriber.payloads()).toEqual(["1"]);
    expect(first.publisher.codes()).toEqual([]);

    const next = await opened(disk, 2, 1);
    const again = next.process.register(13);
    await next.process.await(13, "a");
    again.acknowledges = false;
    next.process.give(PUBLISHER, 1, message("1"));
    await settled();
    expect(again.payloads()).toEqual(["1"]);
    expect(next.publisher.codes()).toEqual([]);
    again.acknowledge();
    expect(next.publisher.codes()).toEqual([0]);
    expect(bodies(disk, next.process)).toBe(1);
  });

  test("an owner that died after it had answered what was not stored: the count goes on from what the gateway names", async () => {
    const disk = new MemoryDisk();
    const first = await opened(disk, 1, 1, ["kept"]);
    await first.process.route("a");
    first.process.give(PUBLISHER, 1, message("1"));
    await settled();
    await first.process.unroute("a");
    first.process.give(PUBLISHER, 2, message("2"));
    first.process.give(PUBLISHER, 3, message("3"));
    await settled();
    expect(first.publisher.codes()).toEqual([0, 0, 0]);

    const next = await opened(disk, 2, 4);
    next.process.give(PUBLISHER, 4, message("4"));
    await settled();
    expect(next.publisher.codes()).toEqual([0]);
    expect(bodies(disk, next.process)).toBe(2);
  });

  test("an answered batch that was not stored and one behind it that was: what is unanswered is given again alone", async () => {
    const disk = new MemoryDisk();
    const first = await opened(disk, 1, 1, ["kept"]);
    first.process.give(PUBLISHER, 1, message("1"));
    await first.process.route("a");
    first.process.give(PUBLISHER, 2, message("2"));
    first.process.shards.unregister(PUBLISHER);
    await settled();
    const next = await opened(disk, 2, 1);
    // Its answer was lost too: it is below what is stored, so it is not stored now either.
    next.process.give(PUBLISHER, 1, message("1"));
    next.process.give(PUBLISHER, 2, message("2"));
    await settled();
    expect(next.publisher.codes()).toEqual([0, 0]);
    expect(next.subscriber.payloads()).toEqual(["1", "2"]);
    expect(bodies(disk, next.process)).toBe(1);
  });

  test("one that comes again while it is on its way waits for it", async () => {
    const disk = new MemoryDisk();
    const { process, publisher } = await opened(disk, 1, 1);
    const release = hold(disk);
    const before = process.give(PUBLISHER, 1, message("1"));
    resume(process, 1, 1);
    expect(publisher.trace).toEqual(["not taken 1 not-owner"]);
    expect(publisher.back).toEqual([before]);
    process.give(PUBLISHER, 1, message("1"));
    await settled();
    expect(publisher.codes()).toEqual([]);
    release();
    await settled();
    expect(publisher.codes()).toEqual([0]);
    expect(bodies(disk, process)).toBe(1);
  });

  test("… and is not taken for stored when that fails", async () => {
    const disk = new MemoryDisk();
    const { process, publisher } = await opened(disk, 1, 1);
    const release = hold(disk);
    process.give(PUBLISHER, 1, message("1"));
    resume(process, 1, 1);
    process.give(PUBLISHER, 1, message("1"));
    disk.fault = "unavailable";
    release();
    await settled();
    disk.fault = undefined;
    expect(publisher.trace).toEqual(["not taken 1 not-owner", "not taken 1 after-error"]);
    resume(process, 1, 1);
    process.give(PUBLISHER, 1, message("1"));
    await settled();
    expect(publisher.codes()).toEqual([0]);
    expect(bodies(disk, process)).toBe(1);
  });

  test("a gap is refused, and everything behind it", async () => {
    const disk = new MemoryDisk();
    const { process, publisher } = await opened(disk, 1, 5);
    process.give(PUBLISHER, 5, message("5"));
    process.give(PUBLISHER, 7, message("7"));
    process.give(PUBLISHER, 6, message("6"));
    await settled();
    expect(publisher.trace).toEqual([
      "not taken 7 gap",
      "not taken 6 after-error",
      "answer 0 0x00",
    ]);
    resume(process, 1, 6);
    process.give(PUBLISHER, 6, message("6"));
    process.give(PUBLISHER, 7, message("7"));
    await settled();
    expect(publisher.codes()).toEqual([0, 0, 0]);
  });

  test("behind a batch that has failed nothing is stored or pushed before the gateway knows", async () => {
    const disk = new MemoryDisk();
    const { process, publisher, subscriber } = await opened(disk, 1, 1);
    const release = hold(disk);
    disk.fault = "unavailable";
    process.give(PUBLISHER, 1, message("1"));
    process.give(PUBLISHER, 2, message("2", { topic: otherTopic(process) }));
    release();
    await settled();
    disk.fault = undefined;
    process.give(PUBLISHER, 3, message("3"));
    await settled();
    expect(publisher.trace).toEqual([
      "answer 0 0x80",
      "not taken 2 after-error",
      "not taken 3 after-error",
    ]);
    expect(subscriber.payloads()).toEqual([]);
    resume(process, 1, 2);
    process.give(PUBLISHER, 2, message("2", { topic: otherTopic(process) }));
    process.give(PUBLISHER, 3, message("3"));
    await settled();
    expect(subscriber.payloads()).toEqual(["2", "3"]);
  });

  test("messages of QoS ≥ 1 of one gateway leave in its order, whatever they wait for", async () => {
    const disk = new MemoryDisk();
    const { process, subscriber } = await opened(disk, 1, 1);
    const other = otherTopic(process);
    const release = hold(disk);
    process.give(PUBLISHER, 1, message("1"), message("2", { topic: other }));
    process.give(
      PUBLISHER,
      2,
      message("0", { topic: other, qos: 0 }),
      message("3", { topic: other }),
    );
    expect(subscriber.payloads()).toEqual(["0"]);
    release();
    await settled();
    expect(subscriber.payloads()).toEqual(["0", "1", "2", "3"]);
  });

  test("where there is no room for all of a batch it is refused as a whole, and what follows is not taken", async () => {
    const disk = new MemoryDisk();
    const process = await owning(disk, 1, { maxUnsettledBytes: 4_000 });
    await process.route("a");
    const publisher = process.register(PUBLISHER);
    resume(process, 1, 1);
    const payload = "x".repeat(1_000);
    const release = hold(disk);
    process.give(PUBLISHER, 1, message(payload), message(payload));
    process.give(PUBLISHER, 2, message("y"), message(payload));
    process.give(PUBLISHER, 3, message("z"));
    expect(publisher.trace).toEqual(["answer 0 0x97", "answer 1 0x97", "not taken 3 after-error"]);
    release();
    await settled();
    expect(bodies(disk, process)).toBe(2);
  });

  test("messages that were taken out keep the places of the others", async () => {
    const disk = new MemoryDisk();
    const { process, publisher, subscriber } = await opened(disk, 1, 1);
    const batch = process.batch(PUBLISHER, [message("1"), message("2"), message("3")]);
    const { records } = batch;
    const starts = records.starts.with(1, records.ends[1] as number);
    const topics = records.topics.map((topic, i) => (i === 1 ? (undefined as never) : topic));
    const { bytes, length, count, ends } = records;
    process.shards.publish({
      ...batch,
      seq: 1,
      records: { bytes, length, count, starts, ends, topics },
    });
    await settled();
    expect(publisher.trace).toEqual(["answer 0 0x00", "answer 2 0x00"]);
    expect(subscriber.payloads()).toEqual(["1", "3"]);
  });

  test("a retained value that was replaced since does not come back", async () => {
    const disk = new MemoryDisk();
    const first = await opened(disk, 1, 1);
    first.process.give(PUBLISHER, 1, message("old", { retain: true }));
    first.process.give(PUBLISHER, 2, message("new", { retain: true }));
    first.process.shards.unregister(PUBLISHER);
    await settled();
    const next = await opened(disk, 2, 1);
    const { shard } = next.process.topic("a");
    const before = disk.shard(shard).retained.get("a")?.offset;
    next.process.give(PUBLISHER, 1, message("old", { retain: true }));
    next.process.give(PUBLISHER, 2, message("new", { retain: true }));
    await settled();
    const value = disk.shard(shard).retained.get("a");
    expect(value?.offset).toBe(before);
    expect(next.process.payload(value!.body)).toBe("new");
    expect(next.publisher.codes()).toEqual([0, 0]);
  });

  test("a QoS 2 message that was stored has its receipt, and is answered by it", async () => {
    const disk = new MemoryDisk();
    const receipt = [7, 1] as const;
    const first = await opened(disk, 1, 1);
    first.process.give(PUBLISHER, 1, message("1", { qos: 2, receipt }));
    first.process.shards.unregister(PUBLISHER);
    await settled();
    const next = await opened(disk, 2, 1, ["a"], [7]);
    next.process.give(PUBLISHER, 1, message("1", { qos: 2, receipt }));
    await settled();
    expect(next.publisher.codes()).toEqual([0]);
    expect(bodies(disk, next.process)).toBe(1);
  });
});

describe("a message at QoS 2 that was withdrawn", () => {
  const receipt = [7, 1] as const;
  const left = [7, 0] as const;

  test("is pushed where it was stored, before what was given behind it, and answered", async () => {
    const disk = new MemoryDisk();
    const first = await opened(disk, 1, 1);
    first.process.give(PUBLISHER, 1, message("1", { qos: 2, receipt }));
    first.process.shards.unregister(PUBLISHER);
    first.process.shards.unregister(SUBSCRIBER);
    await settled();
    const next = await opened(disk, 2, 1, ["a"], [7]);
    next.process.give(PUBLISHER, 1, message("1", { qos: 2, receipt: left }));
    next.process.give(PUBLISHER, 2, message("1", { qos: 2, receipt }), message("2"));
    await settled();
    expect(next.subscriber.payloads()).toEqual(["1", "2"]);
    expect(next.publisher.codes()).toEqual([0x80, 0, 0]);
    expect(bodies(disk, next.process)).toBe(2);
  });

  test("is neither stored nor pushed where it was not", async () => {
    const disk = new MemoryDisk();
    const { process, publisher, subscriber } = await opened(disk, 1, 1, ["a"], [7]);
    process.give(PUBLISHER, 1, message("1", { qos: 2, receipt: left }), message("2"));
    process.give(PUBLISHER, 2, message("3", { qos: 2, receipt: left }));
    await settled();
    expect(subscriber.payloads()).toEqual(["2"]);
    expect(publisher.trace).toContain("answer 0 0x80");
    expect(publisher.back).toHaveLength(2);
    expect(bodies(disk, process)).toBe(1);
  });
});

describe("a gateway that is attached again", () => {
  async function cut() {
    const disk = new MemoryDisk();
    const { process, publisher, subscriber } = await opened(disk, 1, 1);
    for (const gateway of [PUBLISHER, SUBSCRIBER]) process.control.gatewayUp(gateway);
    process.shards.known(SUBSCRIBER, SUBSCRIBER);
    subscriber.acknowledges = false;
    return { disk, process, publisher };
  }

  test("gets first what was pushed and not acknowledged, of batches that are on their way too", async () => {
    const { disk, process, publisher } = await cut();
    const other = otherTopic(process);
    process.give(PUBLISHER, 1, message("1", { topic: other }));
    const release = hold(disk);
    process.give(PUBLISHER, 2, message("2", { topic: other }), message("3"));
    process.give(PUBLISHER, 3, message("4", { topic: other }));
    process.shards.unregister(SUBSCRIBER);
    const next = process.register(SUBSCRIBER);
    expect(next.payloads()).toEqual(["1", "2"]);
    expect(publisher.codes()).toEqual([0]);
    release();
    await settled();
    expect(next.payloads()).toEqual(["1", "2", "3", "4"]);
    expect(publisher.codes()).toEqual([0, 0, 0, 0]);
  });

  test("gets what matches its former interests until it has said all, each message once", async () => {
    const { process, publisher } = await cut();
    process.shards.unregister(SUBSCRIBER);
    process.give(PUBLISHER, 1, message("1"));
    await settled();
    expect(publisher.codes()).toEqual([]);
    const next = process.register(SUBSCRIBER);
    process.give(PUBLISHER, 2, message("2"));
    await process.await(SUBSCRIBER, "#");
    process.give(PUBLISHER, 3, message("3"));
    process.shards.known(SUBSCRIBER, SUBSCRIBER);
    process.give(PUBLISHER, 4, message("4"));
    await settled();
    expect(next.payloads()).toEqual(["1", "2", "3", "4"]);
    expect(publisher.codes()).toEqual([0, 0, 0, 0]);
  });

  test("gets it also where the next connection breaks as well, and where the publisher's does", async () => {
    const { disk, process } = await cut();
    const other = otherTopic(process);
    process.give(PUBLISHER, 1, message("1", { topic: other }));
    const release = hold(disk);
    process.give(PUBLISHER, 2, message("2"));
    resume(process, 1, 1);
    process.shards.unregister(SUBSCRIBER);
    const between = new RecordingPeer(SUBSCRIBER, process.shards);
    between.acknowledges = false;
    process.shards.register(SUBSCRIBER, between);
    expect(between.payloads()).toEqual(["1"]);
    process.shards.unregister(SUBSCRIBER);
    const next = process.register(SUBSCRIBER);
    release();
    await settled();
    expect(next.payloads()).toEqual(["1", "2"]);
    const publisher = process.register(PUBLISHER);
    resume(process, 1, 1);
    process.give(PUBLISHER, 1, message("1", { topic: other }));
    process.give(PUBLISHER, 2, message("2"));
    await settled();
    expect(publisher.codes()).toEqual([0, 0]);
    expect(bodies(disk, process)).toBe(1);
  });
});

describe("gateways that are gone", () => {
  test("what a paused gateway gives when it wakes has no effect, and it is not attached again", async () => {
    const disk = new MemoryDisk();
    const { process, publisher } = await opened(disk, 1, 1);
    process.control.gatewayUp(PUBLISHER);
    process.control.gatewayDown(PUBLISHER);
    process.give(PUBLISHER, 1, message("late"));
    process.register(PUBLISHER);
    resume(process, 1, 1);
    process.give(PUBLISHER, 1, message("later"));
    await settled();
    expect(publisher.trace).toEqual([]);
    expect(bodies(disk, process)).toBe(0);
  });

  test("their numbers are removed: when they go down, and of those that went unseen at the next opening", async () => {
    const disk = new MemoryDisk();
    const { process } = await opened(disk, 1, 1);
    process.control.gatewayUp(PUBLISHER);
    const { senders } = disk.shard(process.topic("a").shard);
    process.give(PUBLISHER, 1, message("1"));
    await settled();
    expect([...senders.keys()]).toEqual([`g${PUBLISHER}`]);
    process.control.gatewayDown(PUBLISHER);
    await settled();
    expect([...senders.keys()]).toEqual([]);
    senders.set(`g${PUBLISHER}`, { sender: `g${PUBLISHER}`, term: 0, seq: 9 });
    senders.set("g40", { sender: "g40", term: 0, seq: 9 });
    senders.set("s1", { sender: "s1", term: 3, seq: 1 });
    await owning(disk, 2, {
      ownership: (control) => {
        control.gatewayUp(40);
        control.gatewayUp(41);
        return {
          incarnation: 42,
          start: async () => {},
          reopen: async () => {},
          valid: () => true,
        };
      },
    });
    await settled();
    expect([...senders.keys()].sort()).toEqual(["g40", "s1"]);
  });
});

/** Of the same shard as "a", without a route. */
function otherTopic(process: StoreProcess): string {
  const { shard } = process.topic("a");
  for (let i = 0; ; i++) if (process.topic(`o/${i}`).shard === shard) return `o/${i}`;
}
