import { STORED_BEFORE } from "@canopy/store";
import { describe, expect, test } from "vitest";
import { pushOf, settled, World } from "../../test/fake-stores.ts";

describe("what store processes push", () => {
  test("is one stream to the gateway, and acknowledged to each as the gateway takes it", () => {
    const world = new World([1, 2]);
    world.acknowledges = false;
    world.store(1).peer.push(pushOf({ number: 1, seq: 1 }, [1]));
    world.store(2).peer.push(pushOf({ number: 1, shard: 1, seq: 1 }, [2]));
    world.store(1).peer.push(pushOf({ number: 2, seq: 2 }, [3]));
    expect(world.news()).toEqual(["push 1: 1", "push 2: 2", "push 3: 3"]);
    expect([world.store(1).news(), world.store(2).news()]).toEqual([[], []]);
    world.shards.acknowledged(9, 2);
    expect(world.store(1).news()).toEqual(["acknowledged 1"]);
    expect(world.store(2).news()).toEqual(["acknowledged 1"]);
    world.shards.acknowledged(9, 3);
    expect(world.store(1).news()).toEqual(["acknowledged 2"]);
  });

  test("of a former owner is dropped, but acknowledged behind what came before it", () => {
    const world = new World([1, 2]);
    world.acknowledges = false;
    world.store(1).peer.push(pushOf({ number: 1, seq: 1 }, [1]));
    world.place(0, 2, 2);
    world.store(1).news();
    world.store(1).peer.push(pushOf({ number: 2, seq: 2 }, [2]));
    expect(world.news()).not.toContain("push 2: 2");
    expect(world.store(1).news()).toEqual([]);
    world.shards.acknowledged(9, 1);
    expect(world.store(1).news()).toEqual(["acknowledged 1", "acknowledged 2"]);
  });

  test("or did not, as the gateway was slow, is said in its turn, but for former owners", () => {
    const world = new World([1, 2]);
    world.acknowledges = false;
    const { peer } = world.store(1);
    peer.push(pushOf({ number: 1, seq: 1 }, [1]));
    const of = (shard: number) => ({ shard, epoch: 1, topics: [] });
    peer.missed?.({ number: 5, shards: [of(0), of(2)] });
    peer.push(pushOf({ number: 6, seq: 4 }, [4]));
    expect(world.news()).toEqual(["push 1: 1", "missed 2: 0 2", "push 3: 4"]);
    world.shards.acknowledged(9, 1);
    world.shards.acknowledged(9, 2);
    expect(world.store(1).news()).toEqual(["acknowledged 1", "acknowledged 5"]);
    world.shards.acknowledged(9, 3);
    world.place(0, 2, 2);
    world.news();
    world.store(1).news();
    peer.missed?.({ number: 9, shards: [of(0)] });
    expect(world.news()).toEqual([]);
    expect(world.store(1).news()).toEqual(["acknowledged 9"]);
  });

  test("a second time is dropped at QoS ≥ 1; of a batch that was pushed in part the rest comes", () => {
    const world = new World([1, 2]);
    const half = pushOf({ number: 1, seq: 5 }, [1, 2, 3, 4]);
    world.store(1).peer.push({ ...half, indexes: [0, 1], offsets: [0, 0] });
    world.place(0, 2, 2);
    world.news();
    const two = world.store(2).peer;
    two.push(pushOf({ number: 1, epoch: 2, seq: 4, offset: STORED_BEFORE }, [8, 9]));
    two.push(pushOf({ number: 2, epoch: 2, seq: 5, offset: STORED_BEFORE }, [1, 2, 3, 4]));
    expect(world.news()).toEqual(["push 2: 3 4"]);
    expect(world.store(2).news()).toContain("acknowledged 2");
  });

  test("a second time with an offset is for readers alone: it was not stored before", () => {
    const world = new World([1, 2]);
    world.store(1).peer.push(pushOf({ number: 1, seq: 1 }, [1]));
    world.place(0, 2, 2);
    world.news();
    const again = pushOf({ number: 1, epoch: 2, seq: 1, offset: 2 ** 33 + 1 }, [1, 2]);
    world.store(2).peer.push(again);
    expect(world.news()).toEqual(["push 2: 1 for readers", "push 3: 2"]);
  });

  test("at QoS 0 has no mark and leaves none", () => {
    const world = new World([1, 1]);
    const { peer } = world.store(1);
    peer.push(pushOf({ number: 1, seq: 7 }, [1], 0));
    peer.push(pushOf({ number: 2, seq: 5 }, [2]));
    peer.push(pushOf({ number: 3, seq: 4 }, [3], 0));
    expect(world.news()).toEqual(["push 1: 1", "push 2: 2", "push 3: 3"]);
  });

  test("wills have no sender: all of them come", () => {
    const world = new World([1, 1]);
    const { peer } = world.store(1);
    for (const number of [1, 2]) peer.push({ ...pushOf({ number, seq: 0 }, [1]), gateway: 0 });
    expect(world.news()).toEqual(["push 1: 1", "push 2: 1"]);
  });

  test("marks of a gateway that is gone are forgotten", () => {
    const world = new World([1, 1]);
    const { peer } = world.store(1);
    peer.push(pushOf({ number: 1, seq: 5 }, [1]));
    world.commit({ type: "gateway-down", incarnation: 3 });
    peer.push(pushOf({ number: 2, seq: 5 }, [1]));
    expect(world.news()).toEqual(["push 1: 1"]);
    world.commit({ type: "gateway-gone", incarnation: 3 });
    peer.push(pushOf({ number: 3, seq: 5 }, [1]));
    expect(world.news()).toEqual(["push 2: 1"]);
  });
});

describe("a shard's readers read anew", () => {
  test("when it has another epoch, and not when it only has no owner", async () => {
    const world = new World([1, 2]);
    for (const heads of [...world.store(1).heads, ...world.store(2).heads]) heads.resolve([0, 0]);
    await settled();
    world.news();
    world.place(0, 0, 1);
    expect(world.news()).toEqual([]);
    world.place(0, 2, 2);
    expect(world.news()).toEqual(["owner of 0 changed"]);
  });

  test("when its owner is back, as soon as it pushes what matches", async () => {
    const world = new World([1, 1]);
    world.disconnect(1);
    world.connect(1);
    world.news();
    world.store(1).heads.at(-1)?.resolve([0, 0]);
    await settled();
    expect(world.news()).toEqual(["owner of 0 changed", "owner of 1 changed"]);
  });
});
