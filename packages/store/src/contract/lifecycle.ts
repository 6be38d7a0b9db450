import { expect, test } from "vitest";
import {
  allRetained,
  appendOf,
  bodies,
  change,
  contents,
  firstOf,
  type MakeHarness,
  outcome,
  put,
  text,
  useBench,
} from "./harness.ts";

export function lifecycleTests(makeHarness: MakeHarness): void {
  const bench = useBench(makeHarness);

  test("a close keeps everything, trims too", async () => {
    let shard = await bench().shard();
    const first = await put(
      shard,
      { body: "0", queues: ["a", "b"], retain: "t" },
      { body: "1", queues: ["a"] },
      { body: "2", queues: ["a"], retain: "gone" },
      { body: "3", queues: ["c"] },
    );
    await shard.trim("a", first + 1);
    await shard.remove("c");
    await shard.append(change({ retained: [{ topic: "gone", index: -1 }] }));
    for (let round = 0; round < 3; round++) {
      await bench().reopen();
      shard = await bench().shard();
      expect(shard.head).toBe(first + 3);
      expect(await contents(shard, "a")).toEqual([`${first + 2}:2`]);
      expect(await bodies(shard, "b")).toEqual(["0"]);
      expect(await shard.stats(["c"])).toMatchObject([{ messages: 0 }]);
      const retained = await allRetained(shard, "#");
      expect(retained.map(({ topic, body }) => `${topic}=${text(body)}`)).toEqual(["t=0"]);
      expect(shard.retainedCount).toBe(1);
      expect((await shard.retainedValue("t"))?.offset).toBe(first);
    }
  });

  test("a crash keeps what was acknowledged", async () => {
    let shard = await bench().shard();
    const all: string[] = [];
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 20; i++) {
        const body = `${round}.${i}`;
        await put(shard, { body, queues: ["q"], retain: `t/${i}` });
        all.push(body);
      }
      await bench().crash();
      shard = await bench().shard();
      expect(await bodies(shard, "q")).toEqual(all);
      const retained = await allRetained(shard, "t/+");
      expect(retained.map(({ body }) => text(body)).sort()).toEqual(all.slice(-20).sort());
    }
  });

  test("the head stays when every message has left", async () => {
    let shard = await bench().shard();
    const first = await put(shard, { body: "x", queues: ["q"] }, { body: "y" });
    await shard.trim("q", first + 1);
    await bench().reopen();
    shard = await bench().shard();
    expect(shard.head).toBe(first + 1);
    expect(await outcome(shard.append(appendOf(first + 1, [{ body: "z" }])))).toBe("invalid");
  });

  test("closing a shard waits for what is under way and refuses what comes later", async () => {
    const shard = await bench().shard();
    const append = appendOf(firstOf(shard), [{ body: "x", queues: ["q"] }]);
    const appending = outcome(shard.append(append));
    await shard.close();
    expect(await appending).toBe("done");
    const late = [
      shard.append(append),
      shard.read([{ queue: "q", after: 0 }], { messages: 1, bytes: 1 }),
      shard.trim("q", 1),
      shard.drop("q", 1),
      shard.remove("q"),
      shard.stats(),
      shard.retained("#", 1, undefined, { messages: 1, bytes: 1 }),
    ];
    for (const call of late) expect(await outcome(call)).toBe("closed");
    const again = await bench().shard();
    expect(await bodies(again, "q")).toEqual(["x"]);
  });

  test("closing twice is harmless; a closed store refuses", async () => {
    const shard = await bench().shard();
    await shard.close();
    await shard.close();
    const { store } = bench();
    await store.close();
    await store.close();
    expect(await outcome(store.epoch(0))).toBe("closed");
    expect(await outcome(store.open(0, 99))).toBe("closed");
    bench().store = await bench().harness.open();
  });

  test("closing the store closes its shards", async () => {
    const one = await bench().shard(1);
    const two = await bench().shard(2);
    const putting = [
      put(one, { body: "1", queues: ["q"] }),
      put(two, { body: "2", queues: ["q"] }),
    ];
    await bench().reopen();
    await Promise.all(putting);
    expect(await outcome(one.append(change({})))).toBe("closed");
    expect(await bodies(await bench().shard(1), "q")).toEqual(["1"]);
    expect(await bodies(await bench().shard(2), "q")).toEqual(["2"]);
  });
}
