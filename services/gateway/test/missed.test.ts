/** Pushes that a store process did not send, as the gateway was slow. */
import type { MissedShard, Push } from "@canopy/store";
import { shardOf } from "@canopy/topic";
import { expect, test } from "vitest";
import { connect, resume } from "./client.ts";
import { World } from "./world.ts";

test.each([
  ["named", true],
  ["too many to be named", false],
])(
  "topics %s: who has a queue reads from it, who has none is disconnected, and then the publisher hears",
  async (_, areNamed) => {
    const world = await World.start();
    const { gateway } = world;
    const durable = await resume(world, "durable");
    await durable.subscribe("t", { qos: 1 });
    const transient = await connect(world, "transient");
    await transient.subscribe("+", { qos: 1 });
    const unacknowledged = await connect(world, "unacknowledged");
    await unacknowledged.subscribe("t", { qos: 0 });
    const { shards } = gateway.shards;
    const names = Array.from({ length: 100 }, (__, i) => `other/${i}`);
    const isBeside = (name: string): boolean => shardOf(name, shards) === shardOf("t", shards);
    const beside = await connect(world, "beside");
    await beside.subscribe(names.find(isBeside) as string, { qos: 1 });
    const elsewhere = await connect(world, "elsewhere");
    await elsewhere.subscribe(names.find((name) => !isBeside(name)) as string, { qos: 1 });
    const publisher = await connect(world, "publisher");

    const skipped: Push[] = [];
    gateway.push = (push) => skipped.push(push);
    publisher.publish("t", "missed", { qos: 1 });
    await world.settle();
    expect(skipped).toHaveLength(1);
    expect(publisher.takeAll("puback")).toEqual([]);
    expect(durable.payloads()).toEqual([]);

    const { number, shard, epoch, records } = skipped[0] as Push;
    const missed: MissedShard = { shard, epoch, topics: areNamed ? records.topics : undefined };
    gateway.missed({ number, shards: [missed] });
    await world.settle();
    expect(publisher.takeAll("puback")).toHaveLength(1);
    expect(transient.take("disconnect").reasonCode).toBe(0x97);
    expect(durable.payloads()).toEqual(["missed"]);
    expect(unacknowledged.payloads()).toEqual([]);
    expect(beside.takeAll("disconnect")).toHaveLength(areNamed ? 0 : 1);
    expect(elsewhere.takeAll("disconnect")).toHaveLength(0);
  },
);
