import { expect, test } from "vitest";
import type { ShardStore } from "../port.ts";
import { bodies, change, type MakeHarness, outcome, put, useBench } from "./harness.ts";

export function queueTests(makeHarness: MakeHarness): void {
  const bench = useBench(makeHarness);
  const ten = (queue: string) =>
    Array.from({ length: 10 }, (_, i) => ({ body: `${i}`.repeat(i + 1), queues: [queue] }));

  test("trim removes a queue's messages up to an offset, from that queue only", async () => {
    const shard = await bench().shard();
    const first = await put(
      shard,
      ...["0", "1", "2"].map((body) => ({ body, queues: ["a", "b"] })),
    );
    expect(await shard.trim("a", first + 1)).toBe(2);
    expect(await bodies(shard, "a")).toEqual(["2"]);
    expect(await bodies(shard, "b")).toEqual(["0", "1", "2"]);
    expect(await shard.trim("a", first)).toBe(0);
    expect(await bodies(shard, "a")).toEqual(["2"]);
    expect(await shard.trim("nobody", first)).toBe(0);
  });

  test("a trim beyond the head concerns what is there, not what comes", async () => {
    const shard = await bench().shard();
    await put(shard, { body: "old", queues: ["q"] });
    await shard.trim("q", Number.MAX_SAFE_INTEGER);
    expect(await shard.stats()).toEqual([]);
    await put(shard, { body: "new", queues: ["q"] });
    expect(await bodies(shard, "q")).toEqual(["new"]);
  });

  test("a drop is a trim that a crash does not undo", async () => {
    let shard = await bench().shard();
    const first = await put(shard, ...ten("q"), ...ten("r"));
    await shard.trim("q", first + 1);
    expect(await shard.drop("q", first + 3)).toBe(2);
    expect(await shard.drop("q", first + 3)).toBe(0);
    expect(await shard.drop("nobody", first)).toBe(0);
    for (let round = 0; round < 3; round++) {
      expect((await bodies(shard, "q"))[0]).toBe("44444");
      expect(await bodies(shard, "r")).toHaveLength(10);
      await put(shard, { body: "later", queues: ["q"] });
      await bench().crash();
      shard = await bench().shard();
    }
    expect(await bodies(shard, "q")).toHaveLength(6 + 3);
    expect(await shard.drop("q", Number.MAX_SAFE_INTEGER)).toBe(9);
    await bench().crash();
    shard = await bench().shard();
    expect(await bodies(shard, "q")).toEqual([]);
    await put(shard, { body: "new", queues: ["q"] });
    expect(await bodies(shard, "q")).toEqual(["new"]);
  });

  test("a drop from a queue that was emptied before and came back is not undone by a close or a crash", async () => {
    const empty = [
      (shard: ShardStore) => shard.remove("q"),
      (shard: ShardStore) => shard.trim("q", Number.MAX_SAFE_INTEGER),
    ];
    const ends = [() => bench().reopen(), () => bench().crash()];
    for (const end of ends) {
      for (const emptied of empty) {
        for (const dropped of [7, 10]) {
          let shard = await bench().shard();
          await put(shard, ...ten("q"));
          await emptied(shard);
          const first = await put(shard, ...ten("q"));
          expect(await shard.drop("q", first + dropped - 1)).toBe(dropped);
          await end();
          shard = await bench().shard();
          const left = ten("q").slice(dropped);
          expect(await bodies(shard, "q")).toEqual(left.map(({ body }) => body));
          await shard.drop("q", Number.MAX_SAFE_INTEGER);
        }
      }
    }
  });

  test("what reads have passed for a drop does not come back, at whatever moment it ends", async () => {
    let shard = await bench().shard();
    let lowest = 0;
    for (let round = 0; round < 12; round++) {
      const first = await put(shard, ...ten("q"), ...ten("other"));
      const dropping = outcome(shard.drop("q", first + (round % 10)));
      const more = outcome(put(shard, ...ten("q")));
      for (let look = 0; look < round; look++) {
        const read = await shard.read([{ queue: "q", after: 0 }], { messages: 1, bytes: 1 });
        lowest = Math.max(lowest, read.messages[0]?.offset ?? 0);
      }
      await bench().crash();
      await Promise.all([dropping, more]);
      shard = await bench().shard();
      const again = await shard.read([{ queue: "q", after: 0 }], { messages: 1, bytes: 1 });
      expect(again.messages[0]?.offset ?? lowest).toBeGreaterThanOrEqual(lowest);
    }
  });

  test("trims and removes come behind the appends given before them", async () => {
    const shard = await bench().shard();
    const putting = put(shard, { body: "a", queues: ["q", "r"] });
    const trimming = shard.trim("q", Number.MAX_SAFE_INTEGER);
    const removing = shard.remove("r");
    await Promise.all([putting, trimming, removing]);
    expect(await shard.stats()).toEqual([]);
  });

  test("remove takes the queue and its progress", async () => {
    const shard = await bench().shard();
    await put(shard, { body: "a", queues: ["$share/g/x", "other"] });
    await shard.append(change({ progress: new Map([["$share/g/x", Buffer.from("p")]]) }));
    await shard.remove("$share/g/x");
    expect(await bodies(shard, "$share/g/x")).toEqual([]);
    expect(await shard.progress("$share/g/x")).toBeUndefined();
    expect((await shard.stats()).map(({ queue }) => queue)).toEqual(["other"]);
    await put(shard, { body: "b", queues: ["$share/g/x"] });
    expect(await bodies(shard, "$share/g/x")).toEqual(["b"]);
    await shard.remove("nobody");
  });

  test("stats count messages, bytes and ends", async () => {
    const shard = await bench().shard();
    const first = await put(shard, ...ten("a"), { body: "x", queues: ["b"] });
    expect(await shard.stats(["b", "nobody", "a"])).toEqual([
      { queue: "b", messages: 1, bytes: 1, first: first + 10, last: first + 10 },
      { queue: "nobody", messages: 0, bytes: 0, first: 0, last: 0 },
      { queue: "a", messages: 10, bytes: 55, first, last: first + 9 },
    ]);
    await shard.trim("a", first + 3);
    expect(await shard.stats(["a"])).toEqual([
      { queue: "a", messages: 6, bytes: 45, first: first + 4, last: first + 9 },
    ]);
    const all = await shard.stats();
    expect(all.map(({ queue }) => queue).sort()).toEqual(["a", "b"]);
  });

  test("a queue that was emptied is listed no more", async () => {
    const shard = await bench().shard();
    const first = await put(shard, ...ten("a"));
    await shard.trim("a", first + 9);
    expect(await shard.stats()).toEqual([]);
  });

  test("excess tells what to trim to come within the limits", async () => {
    const shard = await bench().shard();
    const first = await put(shard, ...ten("q"));
    const excess = (messages: number, bytes: number) => shard.excess("q", { messages, bytes });
    expect(await excess(10, 55)).toBe(0);
    expect(await excess(9, 55)).toBe(first);
    expect(await excess(10, 54)).toBe(first);
    expect(await excess(10, 53)).toBe(first + 1);
    expect(await excess(3, 55)).toBe(first + 6);
    expect(await excess(0, 55)).toBe(first + 9);
    expect(await shard.excess("nobody", { messages: 0, bytes: 0 })).toBe(0);
    await shard.trim("q", await excess(3, 55));
    expect(await excess(3, 55)).toBe(0);
    expect((await shard.stats(["q"]))[0]?.messages).toBe(3);
  });
}
