import { type ShardRetainedPage, StoreError } from "@canopy/store";
import { describe, expect, test } from "vitest";
import { settled, World } from "../../test/fake-stores.ts";

function notOwner(): Promise<never> {
  return Promise.reject(new StoreError("not-owner", "somebody else's"));
}

/** What becomes of it, in time. */
function watch(promise: Promise<unknown>): () => unknown {
  let found: unknown = "pending";
  promise.then(
    (value) => {
      found = value;
    },
    (error: unknown) => {
      found = error instanceof StoreError ? error.code : error;
    },
  );
  return () => found;
}

async function pass(world: World, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await settled();
    world.time.advance(50);
  }
  await settled();
}

function request(shard: number) {
  return { shard, queues: [], messages: 1, bytes: 1 };
}

function result(epoch: number) {
  return { epoch, messages: [], upTo: 0, limited: false };
}

describe("a call", () => {
  test("goes to the owner of the shard", async () => {
    const world = new World([1, 2]);
    await world.shards.forget(1, 7, 8);
    await world.shards.settleDurably("f", 0, 5);
    await world.shards.retainedAt(1, "t", 5);
    expect(world.store(1).news()).toEqual(["settleDurably f 0"]);
    expect(world.store(2).news()).toEqual(["forget 1 7 8", "retainedAt 1 t"]);
  });

  test("waits for an owner, and for its connection", async () => {
    const world = new World([0, 1]);
    const done = watch(world.shards.forget(0, 7, 8));
    await settled();
    world.join(2);
    world.place(0, 2, 2);
    await settled();
    expect(done()).toBe("pending");
    world.connect(2);
    await settled();
    expect(done()).toBe(undefined);
  });

  test("is not left behind by an owner that comes in the same moment", async () => {
    const world = new World([0, 1]);
    const done = watch(world.shards.forget(0, 7, 8));
    world.place(0, 1, 2);
    await settled();
    expect(done()).toBe(undefined);
  });

  test("goes to the next owner where the present one has gone without an answer", async () => {
    const world = new World([1, 2]);
    world.store(1).answer = () => new Promise(() => {});
    const done = watch(world.shards.forget(0, 7, 8));
    await settled();
    world.place(0, 2, 2);
    await settled();
    expect(done()).toBe(undefined);
    expect(world.store(2).news()).toContain("forget 0 7 8");
  });

  test("is asked again where nobody else is known, until its time is up", async () => {
    const world = new World([1, 1]);
    world.store(1).answer = notOwner;
    const done = watch(world.shards.forget(0, 7, 8));
    await pass(world, 2_900);
    expect(done()).toBe("pending");
    expect(world.store(1).news().length).toBeGreaterThan(10);
    await pass(world, 200);
    expect(done()).toBe("unavailable");
  });

  test("that hangs ends with its time", async () => {
    const world = new World([1, 1]);
    world.store(1).answer = () => new Promise(() => {});
    const done = watch(world.shards.read([request(0)]));
    await pass(world, 600);
    expect(done()).toBe("unavailable");
    expect(world.time.pending).toBe(1);
  });

  test("an error that does not pass is the answer", async () => {
    const world = new World([1, 1]);
    world.store(1).answer = () => Promise.reject(new StoreError("corrupt", "damaged"));
    const done = watch(world.shards.forget(0, 7, 8));
    await settled();
    expect(done()).toBe("corrupt");
  });
});

describe("read", () => {
  test("of several shards is asked of each owner once, and answered in order", async () => {
    const world = new World([1, 2]);
    world.store(1).answer = async () => [result(11), result(12)];
    world.store(2).answer = async () => [result(21)];
    const found = await world.shards.read([request(0), request(1), request(0)]);
    expect(found.map(({ epoch }) => epoch)).toEqual([11, 21, 12]);
    expect(world.store(1).news()).toEqual(["read 0 0"]);
  });

  test("under a former epoch is none", async () => {
    const world = new World([1, 1]);
    world.place(0, 1, 2);
    let epoch = 1;
    world.store(1).answer = async () => [result(epoch++)];
    const done = watch(world.shards.read([request(0)]));
    await pass(world, 400);
    expect(done()).toEqual([result(2)]);
  });
});

describe("retained values", () => {
  const asked = { filter: "#", upTo: [], messages: 10, bytes: 10 };

  function page(shard: number, topics: readonly string[], next?: string): ShardRetainedPage {
    return {
      epoch: 1,
      messages: topics.map((topic) => ({ shard, topic, offset: 5, body: Buffer.alloc(0) })),
      next: next === undefined ? undefined : { shard, topic: next },
    };
  }

  test("come shard by shard, each from where the page before ended", async () => {
    const world = new World([1, 2]);
    const pages = [page(0, ["a"], "a"), page(0, ["b"])];
    world.store(1).answer = async () => pages.shift();
    world.store(2).answer = async () => page(1, ["c"]);
    const topics: string[] = [];
    let after: ShardRetainedPage["next"];
    do {
      const { messages, next } = await world.shards.retained({ ...asked, after });
      topics.push(...messages.map(({ topic }) => topic));
      after = next;
    } while (after !== undefined);
    expect(topics).toEqual(["a", "b", "c"]);
    expect(world.store(1).news()).toEqual(["retained 0 after nothing", "retained 0 after a"]);
  });

  test("a shard without any is passed over", async () => {
    const world = new World([1, 2]);
    world.store(1).answer = async () => page(0, []);
    world.store(2).answer = async () => page(1, ["c"]);
    const { messages, next } = await world.shards.retained({ ...asked, after: undefined });
    expect(messages.map(({ topic }) => topic)).toEqual(["c"]);
    expect(next).toBe(undefined);
  });
});

describe("receipts and counts", () => {
  test("receipts are those of all shards", async () => {
    const world = new World([1, 2]);
    world.store(1).answer = async () => [{ shard: 0, key: 3 }];
    world.store(2).answer = async () => [{ shard: 1, key: 4 }];
    const found = await world.shards.receipts(7);
    expect(found.map(({ key }) => key)).toEqual([3, 4]);
    expect(world.store(1).news()).toEqual(["receipts 7 of 0"]);
  });

  test("a shard that nobody can ask makes them unavailable: one left out would be taken for none", async () => {
    const world = new World([0, 1]);
    world.store(1).answer = async () => [];
    const done = watch(world.shards.receipts(7));
    await pass(world, 3_100);
    expect(done()).toBe("unavailable");
  });

  test("counts are summed, with the last ones of who can't be reached", () => {
    const world = new World([1, 2]);
    world.store(1).retainedCount = 2;
    world.store(2).retainedCount = 3;
    expect(world.shards.counts()).toMatchObject({ retained: 5, dropped: 2 });
    world.disconnect(2);
    expect(world.shards.counts()).toMatchObject({ retained: 5, dropped: 2 });
    world.commit({ type: "store-down", incarnation: 2 });
    expect(world.shards.counts()).toMatchObject({ retained: 2, dropped: 1 });
  });
});
