import { MemoryDisk } from "@canopy/store/memory";
import { describe, expect, test } from "vitest";
import { settled, startedWorld, willOf } from "./harness.ts";
import { owning, StoreProcess } from "./process.ts";

const SESSION = 7;

describe("receipts of QoS 2", () => {
  test("[MQTT-4.3.3-10] a repeated PUBLISH is answered, but not stored or pushed again", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    const message = { topic: "a", qos: 2, receipt: [SESSION, 1] } as const;
    const { shard } = world.publish(1, message);
    await settled();
    world.publish(1, message);
    expect(peer.codes()).toEqual([0, 0]);
    expect(peer.payloads()).toEqual(["a"]);
    expect(world.disk.shard(shard).bodies.size).toBe(1);
  });

  test("[MQTT-4.3.3-10] one that comes while the first is on its way waits for it", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    const message = { topic: "a", qos: 2, receipt: [SESSION, 1] } as const;
    const release = world.holdDisk();
    world.publish(1, message, message);
    world.publish(1, message);
    await settled();
    expect(peer.trace).toEqual([]);
    release();
    await settled();
    expect(peer.trace).toEqual(["push a", "answer 0 0x00", "answer 1 0x00", "answer 0 0x00"]);
    expect(peer.back).toHaveLength(2);
  });

  test("one whose first attempt failed is not taken for stored", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    const message = { topic: "a", qos: 2, receipt: [SESSION, 1] } as const;
    world.disk.fault = "unavailable";
    world.publish(1, message);
    world.publish(1, message);
    await settled();
    expect(peer.codes()).toEqual([0x80, 0x80]);
    world.disk.fault = undefined;
    world.publish(1, message);
    await settled();
    expect(peer.codes().at(-1)).toBe(0);
    expect(peer.payloads()).toEqual(["a"]);
  });

  test("a message that matches no queue leaves a receipt and no body", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.subscribe(1, "a");
    const release = world.holdDisk();
    const { shard } = world.publish(1, { topic: "a", qos: 2, receipt: [SESSION, 1] });
    await settled();
    expect(peer.trace).toEqual([]);
    release();
    await settled();
    expect(peer.trace).toEqual(["push a", "answer 0 0x00"]);
    expect(world.disk.shard(shard).bodies.size).toBe(0);
    expect(await world.shards.receipts(SESSION)).toEqual([{ shard, key: 1 }]);
  });

  test("[MQTT-4.3.3-12] after forget() the packet identifier stands for a new message", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("a");
    await world.subscribe(1, "a");
    const { shard } = world.publish(1, { topic: "a", payload: "1", qos: 2, receipt: [SESSION, 1] });
    await settled();
    await world.shards.forget(shard, SESSION, 1);
    expect(await world.shards.receipts(SESSION)).toEqual([]);
    world.publish(1, { topic: "a", payload: "2", qos: 2, receipt: [SESSION, 1] });
    await settled();
    expect(peer.payloads()).toEqual(["1", "2"]);
  });

  test("forget() settles when the removal is on disk, and what comes together is one append", async () => {
    const world = await startedWorld();
    world.register(1);
    const receipts = [1, 2, 3].map(
      (key) => ({ topic: "a", qos: 2, receipt: [SESSION, key] }) as const,
    );
    const { shard } = world.publish(1, ...receipts);
    await settled();
    const appends = countAppends(world.disk.shard(shard));
    const release = world.holdDisk();
    let settledCount = 0;
    for (const key of [1, 2, 3]) {
      void world.shards.forget(shard, SESSION, key).then(() => settledCount++);
    }
    await settled();
    expect(settledCount).toBe(0);
    release();
    await settled();
    expect(settledCount).toBe(3);
    expect(appends()).toBe(1);
  });

  test("receipts outlive a restart, but for those of sessions that do not", async () => {
    const world = await startedWorld();
    world.register(1);
    world.publish(1, { topic: "a", qos: 2, receipt: [SESSION, 1] });
    world.publish(1, { topic: "a", qos: 2, receipt: [SESSION + 1, 1] });
    await settled();
    world.sessions.live.add(SESSION);
    await world.restart();
    expect(await world.shards.receipts(SESSION)).toHaveLength(1);
    expect(await world.shards.receipts(SESSION + 1)).toEqual([]);
    const peer = world.register(1);
    await world.subscribe(1, "a");
    world.publish(1, { topic: "a", qos: 2, receipt: [SESSION, 1] });
    expect(peer.trace).toEqual(["answer 0 0x00"]);
  });

  test("the end of a session takes its receipts along", async () => {
    const world = await startedWorld();
    world.register(1);
    world.publish(1, { topic: "a", qos: 2, receipt: [SESSION, 1] });
    await settled();
    await world.service.routeSink.sessionsEnded([SESSION, 99]);
    expect(await world.shards.receipts(SESSION)).toEqual([]);
  });
});

describe("wills", () => {
  test("[MQTT-3.1.2-8] a will is published once, however often it is given", async () => {
    const world = await startedWorld();
    world.sessions.live.add(SESSION);
    const peer = world.register(1);
    await world.route("w");
    await world.subscribe(1, "w");
    const record = world.record({ topic: "w", qos: 1 });
    const { routeSink } = world.service;
    await Promise.all([
      routeSink.publishWill(willOf(SESSION, 3, record)),
      routeSink.publishWill(willOf(SESSION, 3, record)),
    ]);
    await routeSink.publishWill(willOf(SESSION, 3, record));
    expect(peer.payloads()).toEqual(["w"]);
    await world.restart();
    const again = world.register(1);
    await world.subscribe(1, "w");
    await world.service.routeSink.publishWill(willOf(SESSION, 3, record));
    expect(again.trace).toEqual([]);
    expect(await world.read("w", world.topic("w").shard)).toHaveLength(1);
  });

  test("it settles when the will is stored and pushed", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("w");
    await world.subscribe(1, "w");
    const release = world.holdDisk();
    let isDone = false;
    const will = world.service.routeSink
      .publishWill(willOf(SESSION, 1, world.record({ topic: "w", qos: 1 })))
      .then(() => {
        isDone = true;
      });
    await settled();
    expect(isDone).toBe(false);
    release();
    await will;
    expect(peer.payloads()).toEqual(["w"]);
  });

  test("it is rejected when the backend refuses, and can be given again", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.route("w");
    await world.subscribe(1, "w");
    const record = world.record({ topic: "w", qos: 1 });
    world.disk.fault = "full";
    await expect(world.service.routeSink.publishWill(willOf(SESSION, 1, record))).rejects.toThrow(
      "no room",
    );
    world.disk.fault = undefined;
    await world.service.routeSink.publishWill(willOf(SESSION, 1, record));
    expect(peer.payloads()).toEqual(["w"]);
  });

  test("[MQTT-3.1.2-15] a retained will is retained", async () => {
    const world = await startedWorld();
    world.register(1);
    const record = world.record({ topic: "w", qos: 0, retain: true });
    await world.service.routeSink.publishWill(willOf(SESSION, 1, record));
    const { shard } = world.topic("w");
    expect(world.disk.shard(shard).retained.has("w")).toBe(true);
  });

  test("a will at QoS 0 that is not retained is only pushed", async () => {
    const world = await startedWorld();
    const peer = world.register(1);
    await world.subscribe(1, "w");
    await world.service.routeSink.publishWill(willOf(SESSION, 1, world.record({ topic: "w" })));
    expect(peer.payloads()).toEqual(["w"]);
    expect(await world.shards.receipts(SESSION)).toEqual([]);
  });

  test("of a session's wills only the last has a receipt, in whatever shard", async () => {
    const world = await startedWorld();
    world.register(1);
    const publish = (epoch: number, topic: string): Promise<void> =>
      world.service.routeSink.publishWill(willOf(SESSION, epoch, world.record({ topic, qos: 1 })));
    const [one, two] = world.neighbours(2);
    await publish(1, one);
    await publish(2, two);
    expect(await keys(world)).toEqual([65_536 + 2]);
    await publish(3, otherShard(world, one));
    await settled();
    expect(await keys(world)).toEqual([65_536 + 3]);
    await world.service.routeSink.sessionsEnded([SESSION]);
    expect(await keys(world)).toEqual([]);
  });

  test("a will's receipt stays for as long as its session's group keeps anything of it", async () => {
    const world = await startedWorld();
    world.register(1);
    await world.service.routeSink.publishWill(
      willOf(SESSION, 1, world.record({ topic: "w", qos: 1 })),
    );
    world.sessions.live.add(SESSION);
    await world.restart();
    expect(await keys(world)).toEqual([65_537]);
    // Its end was told while the shard had no owner.
    world.sessions.live.delete(SESSION);
    await world.restart();
    expect(await keys(world)).toEqual([]);
    expect(world.disk.shard(world.topic("w").shard).receipts.size).toBe(0);
  });

  test("the end of a session that is told while a shard is being opened counts there too", async () => {
    const disk = new MemoryDisk();
    const first = await owning(disk, 1);
    await first.service.routeSink.publishWill(
      willOf(SESSION, 1, first.record({ topic: "w", qos: 1 })),
    );
    const { shard } = first.topic("w");
    expect(disk.shard(shard).receipts.size).toBe(1);
    const next = new StoreProcess(disk);
    await next.start();
    const { promise, resolve } = Promise.withResolvers<void>();
    next.sessions.areLive = async (incarnations) => {
      await promise;
      return incarnations.map(() => true);
    };
    const owned = next.control.own(shard, 2, 1);
    await next.service.routeSink.sessionsEnded([SESSION]);
    resolve();
    await owned;
    expect(disk.shard(shard).receipts.size).toBe(0);
  });
});

type AnyWorld = Awaited<ReturnType<typeof startedWorld>>;

async function keys(world: AnyWorld): Promise<number[]> {
  return (await world.shards.receipts(SESSION)).map(({ key }) => key);
}

function otherShard(world: AnyWorld, name: string): string {
  for (let i = 0; ; i++) {
    if (world.topic(`o/${i}`).shard !== world.topic(name).shard) return `o/${i}`;
  }
}

/** How many appends were applied since. */
function countAppends(disk: { apply(append: never): void }): () => number {
  let count = 0;
  const apply = disk.apply.bind(disk);
  disk.apply = (append: never) => {
    count++;
    apply(append);
  };
  return () => count;
}
