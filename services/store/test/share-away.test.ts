import { MemoryDisk } from "@canopy/store/memory";
import { describe, expect, test } from "vitest";
import { member, type RecordingPeer, type Sent, settled } from "./harness.ts";
import { owning, StoreProcess } from "./process.ts";

const ONE = 11;
const TWO = 12;
const GROUP = "$share/g/a";

const message = (payload: string): Sent => ({ topic: "a", payload, qos: 1 });
const durable = (number: number) => member(number, GROUP, { durable: true });

/** Two messages are with member 1 of gateway ONE. */
async function dispatched(disk: MemoryDisk): Promise<{
  process: StoreProcess;
  shard: number;
  one: RecordingPeer;
  offsets: [number, number];
}> {
  const process = await owning(disk, 1);
  for (const gateway of [ONE, TWO]) process.control.gatewayUp(gateway);
  await process.route(GROUP);
  const one = process.register(ONE);
  process.shards.join(ONE, durable(1));
  const { shard } = process.publish(ONE, message("1"), message("2"));
  await settled();
  const offsets = one.dispatched.map(({ offset }) => offset) as [number, number];
  expect(offsets).toHaveLength(2);
  return { process, shard, one, offsets };
}

describe("members of a gateway that is away", () => {
  test("keep what they say that they hold when it is back; the rest is dispatched again", async () => {
    const { process, shard, offsets } = await dispatched(new MemoryDisk());
    const { shards } = process;
    const two = process.register(TWO);
    shards.unregister(ONE);
    shards.join(TWO, durable(1));
    process.publish(TWO, message("3"));
    await settled();
    expect(two.dispatched.map(({ payload }) => payload)).toEqual(["3"]);
    const again = process.register(ONE);
    shards.join(ONE, durable(7));
    shards.holds?.(ONE, 7, shard, [offsets[1]]);
    const third = two.dispatched[0]!.offset;
    process.sessions.unfinished.set(`${GROUP} ${shard}`, [third]);
    shards.leave(TWO, 1, [{ shard, offset: third }], []);
    await settled();
    expect(again.dispatched).toEqual([]);
    shards.known(ONE, ONE);
    await settled();
    expect(again.dispatched.map(({ payload }) => payload)).toEqual(["1"]);
    shards.settle(ONE, 7, shard, offsets[0]);
    shards.settle(ONE, 7, shard, offsets[1]);
    process.time.advance(1_000);
    await settled();
    expect((await process.read(GROUP, shard)).map(({ payload }) => payload)).toEqual(["3"]);
  });

  test("lose it when the gateway goes down, but for what belongs to sessions [MQTT-4.8.2-5]", async () => {
    const { process, shard, offsets } = await dispatched(new MemoryDisk());
    const { shards, control, sessions } = process;
    sessions.unfinished.set(`${GROUP} ${shard}`, [offsets[0]]);
    shards.unregister(ONE);
    const two = process.register(TWO);
    shards.join(TWO, durable(1));
    await settled();
    expect(two.dispatched).toEqual([]);
    control.gatewayDown(ONE);
    await settled();
    expect(two.dispatched.map(({ payload }) => payload)).toEqual(["2"]);
  });

  test("without a queue: the answer waits for the gateway, and the message comes again", async () => {
    const process = await owning(new MemoryDisk(), 1);
    const { shards, control } = process;
    for (const gateway of [ONE, TWO]) control.gatewayUp(gateway);
    process.register(ONE);
    const publisher = process.register(TWO);
    const { shard } = process.topic("a");
    shards.resume(TWO, shard, 1, 1);
    shards.join(ONE, member(1, GROUP));
    shards.unregister(ONE);
    process.give(TWO, 1, message("1"));
    await settled();
    expect(publisher.trace).toEqual([]);
    const again = process.register(ONE);
    shards.join(ONE, member(2, GROUP));
    shards.known(ONE, ONE);
    expect(publisher.trace).toEqual(["not taken 1 after-error"]);
    shards.resume(TWO, shard, 1, 1);
    process.give(TWO, 1, message("1"));
    expect(again.dispatched.map(({ payload }) => payload)).toEqual(["1"]);
    expect(publisher.codes()).toEqual([0]);
  });
});

describe("a new owner", () => {
  test("dispatches when every gateway has said what its members hold, and only what nobody does", async () => {
    const disk = new MemoryDisk();
    const first = await dispatched(disk);
    await first.process.service.stop();
    const process = new StoreProcess(disk);
    await process.start();
    process.control.gatewayUp(ONE);
    process.sessions.filters.add(GROUP);
    const one = process.register(ONE);
    process.shards.join(ONE, durable(1));
    const { shard } = first;
    const owned = process.control.own(shard, 2, 20);
    await settled();
    expect(one.dispatched).toEqual([]);
    process.shards.holds?.(ONE, 1, shard, [first.offsets[0]]);
    process.shards.known(ONE, 20);
    await owned;
    await settled();
    expect(one.dispatched.map(({ payload }) => payload)).toEqual(["2"]);
    process.publish(ONE, message("3"));
    await settled();
    expect(one.dispatched.map(({ payload }) => payload)).toEqual(["2", "3"]);
  });

  test("the same process under a higher epoch asks anew what is in flight", async () => {
    const { process, shard, one, offsets } = await dispatched(new MemoryDisk());
    process.register(TWO);
    const owned = process.control.own(shard, 2, 20);
    process.shards.holds?.(ONE, 1, shard, [offsets[1]]);
    process.shards.known(ONE, 20);
    process.shards.known(TWO, 20);
    await owned;
    await settled();
    expect(one.dispatched.map(({ payload }) => payload)).toEqual(["1", "2", "1"]);
  });

  test("… and leaves the group's progress on disk, where more of it was to be written", async () => {
    const disk = new MemoryDisk();
    const { process, shard, one, offsets } = await dispatched(disk);
    for (const offset of offsets) process.shards.settle(ONE, 1, shard, offset);
    process.time.advance(300);
    await settled();
    process.publish(ONE, message("3"));
    await settled();
    process.register(TWO);
    const { promise, resolve } = Promise.withResolvers<void>();
    process.sessions.sharedUnfinished = async (asked) => {
      await promise;
      return asked.map(() => []);
    };
    const owned = process.control.own(shard, 2, 20);
    await settled();
    process.time.advance(300);
    await settled();
    resolve();
    process.shards.known(ONE, 20);
    process.shards.known(TWO, 20);
    await owned;
    await settled();
    expect(one.dispatched.map(({ payload }) => payload)).toEqual(["1", "2", "3", "3"]);
  });
});
