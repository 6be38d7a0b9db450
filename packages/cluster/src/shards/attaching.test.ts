import { OFFSETS_PER_EPOCH, type ShareMember } from "@canopy/store";
import { Topic } from "@canopy/topic";
import { describe, expect, test } from "vitest";
import { GATEWAY, pushOf, settled, World } from "../../test/fake-stores.ts";

const EPOCH = OFFSETS_PER_EPOCH;

function add(filter: string, transient = false) {
  return { filter, add: true, transient };
}

function remove(filter: string, transient = false) {
  return { filter, add: false, transient };
}

function member(number: number): ShareMember {
  const filter = "$share/g/f";
  return { member: number, filter, durable: true, qos: 1, clientId: "c", window: 9 };
}

/** Its heads, once all have answered. */
async function headsOf(world: World, changes = [add("f")]): Promise<unknown> {
  let heads: unknown = "pending";
  world.shards.interests(GATEWAY, changes).then(
    (found) => {
      heads = found;
    },
    (error: unknown) => {
      heads = error;
    },
  );
  await settled();
  return () => heads;
}

describe("interests", () => {
  test("go to every store process, the first and the last of a kind", async () => {
    const world = new World([1, 2]);
    const say = (changes: Parameters<World["shards"]["interests"]>[1]): void => {
      void world.shards.interests(GATEWAY, changes);
    };
    say([add("a"), add("a"), add("a", true)]);
    say([remove("a"), add("b")]);
    say([remove("a"), remove("a", true), remove("never")]);
    const said = ["interests +a +a!", "interests +b", "interests -a -a!"];
    expect([world.store(1).news(), world.store(2).news()]).toEqual([said, said]);
  });

  test("are in force when all have answered: the highest epoch counts", async () => {
    const world = new World([1, 2]);
    const heads = (await headsOf(world)) as () => unknown;
    world
      .store(1)
      .heads.at(-1)
      ?.resolve([EPOCH + 5, 0]);
    await settled();
    expect(heads()).toBe("pending");
    world
      .store(2)
      .heads.at(-1)
      ?.resolve([0, EPOCH + 7]);
    await settled();
    expect(heads()).toEqual([EPOCH + 5, EPOCH + 7]);
  });

  test("a shard without an owner counts as the start of its next epoch, one not opened as that of its own", async () => {
    const world = new World([0, 1]);
    const heads = (await headsOf(world)) as () => unknown;
    world.store(1).heads.at(-1)?.resolve([0, 0]);
    await settled();
    expect(heads()).toEqual([2 * EPOCH, EPOCH]);
  });

  test("what a former owner says of a shard that has gone on is too low", async () => {
    const world = new World([1, 2]);
    const heads = (await headsOf(world)) as () => unknown;
    world.place(0, 2, 2);
    world
      .store(1)
      .heads.at(-1)
      ?.resolve([EPOCH + 5, 0]);
    world
      .store(2)
      .heads.at(-1)
      ?.resolve([0, EPOCH + 1]);
    await settled();
    expect(heads()).toEqual([2 * EPOCH, EPOCH + 1]);
  });

  test("one that can't be reached is waited for, until it is back or down", async () => {
    const world = new World([1, 2]);
    world.disconnect(2);
    const back = (await headsOf(world)) as () => unknown;
    world.store(1).heads.at(-1)?.resolve([EPOCH, 0]);
    await settled();
    expect(back()).toBe("pending");
    world.connect(2);
    expect(world.store(2).news()).toContain("interests +f");
    world
      .store(2)
      .heads.at(-1)
      ?.resolve([0, EPOCH + 1]);
    await settled();
    expect(back()).toEqual([EPOCH, EPOCH + 1]);

    world.disconnect(2);
    const gone = (await headsOf(world, [])) as () => unknown;
    world.store(1).heads.at(-1)?.resolve([EPOCH, 0]);
    await settled();
    expect(gone()).toBe("pending");
    world.commit({ type: "store-down", incarnation: 2 });
    await settled();
    expect(gone()).toEqual([EPOCH, EPOCH]);
  });

  test("not for ever", async () => {
    const world = new World([1, 2]);
    world.disconnect(2);
    const heads = (await headsOf(world)) as () => unknown;
    world.store(1).heads.at(-1)?.resolve([EPOCH, 0]);
    world.time.advance(3_000);
    await settled();
    expect(heads()).toMatchObject({ code: "unavailable" });
  });

  test("where they were refused nothing is known of that process: its connection is made anew", async () => {
    const world = new World([1, 1]);
    void headsOf(world);
    world.store(1).heads.at(-1)?.reject(new Error("no"));
    await settled();
    expect(world.resets).toEqual([1]);
  });
});

describe("the control log", () => {
  test("what is known is said to all, behind the interests that were said before", () => {
    const world = new World([1, 2]);
    void world.shards.interests(GATEWAY, [add("f")]);
    world.place(0, 2, 2);
    expect(world.store(1).news()).toEqual(["interests +f", "known 11"]);
    expect(world.store(2).news()).toEqual(["interests +f", "resume 0 under 2 from 1", "known 11"]);
  });

  test("a store process that joins is told everything as soon as it can be reached and is up", () => {
    const world = new World([1, 1]);
    void world.shards.interests(GATEWAY, [add("f", true)]);
    world.shards.join(GATEWAY, member(4));
    world.connect(2);
    expect(world.store(2).news()).toEqual([]);
    world.join(2);
    expect(world.store(2).news()).toEqual([
      "register 9",
      "interests +f!",
      "join 4",
      "known 11",
      "known 11",
    ]);
  });

  test("a gateway that goes says so to all", () => {
    const world = new World([1, 2]);
    world.shards.close();
    expect([world.store(1).news(), world.store(2).news()]).toEqual([
      ["unregister 9"],
      ["unregister 9"],
    ]);
  });
});

describe("members of shared subscriptions", () => {
  function dispatch(world: World, offset: number, qos: 0 | 1 = 1): void {
    const { records, epoch } = pushOf({ number: 0, seq: 0 }, [1], qos);
    const topic = records.topics[0] as Topic;
    const place = { member: 4, shard: 0, epoch, offset, topic };
    world
      .store(1)
      .peer.dispatch({ number: offset, bytes: records.bytes, start: 0, end: 6, ...place });
  }

  test("join everywhere; what is finished is said to the owner", () => {
    const world = new World([1, 2]);
    world.shards.join(GATEWAY, member(4));
    dispatch(world, 7);
    world.shards.settle(GATEWAY, 4, 0, 7);
    expect(world.store(1).news()).toEqual(["join 4", "acknowledged 7", "settle 4 0 7"]);
    expect(world.store(2).news()).toEqual(["join 4"]);
  });

  test("what they have not finished is said to the next owner, before it may begin", () => {
    const world = new World([1, 2]);
    world.shards.join(GATEWAY, member(4));
    for (const offset of [7, 8, 9]) dispatch(world, offset);
    dispatch(world, 10, 0);
    world.shards.settle(GATEWAY, 4, 0, 8);
    world.store(2).news();
    world.place(0, 2, 2);
    expect(world.store(2).news()).toEqual([
      "holds 4 0: 7 9",
      "resume 0 under 2 from 1",
      "known 11",
    ]);
  });

  test("and to the same one when its connection is back", () => {
    const world = new World([1, 1]);
    world.shards.join(GATEWAY, member(4));
    dispatch(world, 7);
    world.disconnect(1);
    world.store(1).news();
    world.connect(1);
    const [, , ...others] = world.store(1).news();
    expect(others.slice(0, 3)).toEqual(["join 4", "holds 4 0: 7", "known 10"]);
  });

  test("what crosses the word that they leave goes to others, where no queue has it", () => {
    const world = new World([1, 1]);
    world.shards.join(GATEWAY, member(4));
    world.shards.leave(GATEWAY, 4, [], []);
    world.store(1).news();
    dispatch(world, 0);
    expect(world.store(1).news()[0]).toBe("leave 4 with 1");
    dispatch(world, 7);
    dispatch(world, 0, 0);
    expect(world.store(1).news()).not.toContain("leave 4 with 1");
  });

  test("what they return goes to its owner alone, and is lost without one", () => {
    const world = new World([1, 0]);
    world.shards.join(GATEWAY, member(4));
    world.store(1).news();
    const topicOf = (shard: number): Topic => {
      for (let i = 0; ; i++) {
        const name = Buffer.from(`t${i}`);
        const topic = new Topic(name, 0, name.length, 2);
        if (topic.shard === shard) return topic;
      }
    };
    const returned = [0, 1, 0].map((shard) => ({
      filter: "$share/g/f",
      record: Buffer.alloc(6),
      topic: topicOf(shard),
    }));
    world.shards.leave(GATEWAY, 4, [], returned);
    expect(world.store(1).news()).toEqual(["leave 4 with 2"]);
    expect(world.shards.counters.dropped).toBe(1);
  });
});
