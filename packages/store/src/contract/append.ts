import { expect, test } from "vitest";
import type { Append } from "../port.ts";
import {
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

export function appendTests(makeHarness: MakeHarness): void {
  const bench = useBench(makeHarness);

  test("a new shard is empty", async () => {
    const shard = await bench().shard();
    expect(shard.head).toBe(0);
    expect(await contents(shard, "q")).toEqual([]);
    expect(await shard.stats()).toEqual([]);
    expect(shard.retainedCount).toBe(0);
  });

  test("a message is in each queue that it was posted to, and in no other", async () => {
    const shard = await bench().shard();
    const first = await put(
      shard,
      { body: "one", queues: ["a", "b"] },
      { body: "two", queues: ["b"] },
      { body: "three", queues: ["a"] },
    );
    expect(shard.head).toBe(first + 2);
    expect(await contents(shard, "a")).toEqual([`${first}:one`, `${first + 2}:three`]);
    expect(await contents(shard, "b")).toEqual([`${first}:one`, `${first + 1}:two`]);
    expect(await contents(shard, "c")).toEqual([]);
  });

  test("everything of one append is there, or nothing", async () => {
    const shard = await bench().shard();
    const append: Append = {
      ...appendOf(firstOf(shard), [{ body: "x", queues: ["a", "b"], retain: "t" }]),
      receipts: [{ session: 7, key: 3, add: true }],
      senders: [{ sender: "g1", term: 0, seq: 5 }],
      progress: new Map([["$share/s/a", Buffer.from("p")]]),
    };
    // Refused as a whole: the second posting names a message that isn't there.
    const wrong = { ...append, postings: new Map([...append.postings, ["c", [4]]]) };
    expect(await outcome(shard.append(wrong))).toBe("invalid");
    expect(shard.head).toBe(0);
    expect(await shard.stats()).toEqual([]);
    expect(shard.hasRetained("t")).toBe(false);
    expect(shard.hasReceipt(7, 3)).toBe(false);
    expect(shard.sender("g1")).toBeUndefined();
    expect(await shard.progress("$share/s/a")).toBeUndefined();

    await shard.append(append);
    expect(await bodies(shard, "a", "b")).toEqual(["x"]);
    expect(shard.hasRetained("t")).toBe(true);
    expect(shard.hasReceipt(7, 3)).toBe(true);
    expect(shard.sender("g1")).toEqual({ sender: "g1", term: 0, seq: 5 });
    expect(text((await shard.progress("$share/s/a")) ?? Buffer.of())).toBe("p");
  });

  test("appends given one behind the other are applied in that order", async () => {
    const shard = await bench().shard();
    const first = firstOf(shard);
    const given = Array.from({ length: 50 }, (_, i) =>
      shard.append(appendOf(first + i * 2, [{ body: `${i}`, queues: ["q"] }, { body: "-" }])),
    );
    await Promise.all(given);
    expect(await bodies(shard, "q")).toEqual(given.map((_, i) => `${i}`));
    expect(shard.head).toBe(first + 99);
  });

  test("one that fails fails those given after it and before it settled", async () => {
    const shard = await bench().shard();
    const first = firstOf(shard);
    const good = shard.append(appendOf(first, [{ body: "a", queues: ["q"] }]));
    const bad = shard.append({ ...appendOf(first + 1, [{ body: "b" }]), expiries: [] });
    const after = shard.append(appendOf(first + 2, [{ body: "c", queues: ["q"] }]));
    expect(await Promise.all([outcome(good), outcome(bad), outcome(after)])).toEqual([
      "done",
      "invalid",
      "invalid",
    ]);
    expect(shard.head).toBe(first);
    await shard.append(appendOf(first + 1, [{ body: "again", queues: ["q"] }]));
    expect(await bodies(shard, "q")).toEqual(["a", "again"]);
  });

  test("failures grow before the promises of what failed reject", async () => {
    const shard = await bench().shard();
    const { failures } = shard;
    await shard.append(appendOf(firstOf(shard), [{ body: "a" }]));
    expect(shard.failures).toBe(failures);
    const bad = shard.append({ ...appendOf(firstOf(shard), [{ body: "b" }]), expiries: [] });
    expect(await bad.catch(() => shard.failures)).toBeGreaterThan(failures);
  });

  test("offsets may leave gaps, never go back", async () => {
    const shard = await bench().shard();
    const first = firstOf(shard);
    await shard.append(appendOf(first + 10, [{ body: "a", queues: ["q"] }]));
    expect(await outcome(shard.append(appendOf(first, [{ body: "b" }])))).toBe("invalid");
    expect(await outcome(shard.append(appendOf(first + 10, [{ body: "b" }])))).toBe("invalid");
    expect(await outcome(shard.append(appendOf(0, [{ body: "b" }])))).toBe("invalid");
    await shard.append(appendOf(first + 11, [{ body: "c", queues: ["q"] }]));
    expect(await contents(shard, "q")).toEqual([`${first + 10}:a`, `${first + 11}:c`]);
  });

  test("a repeated append is accepted as done", async () => {
    const shard = await bench().shard();
    const append = appendOf(firstOf(shard), [
      { body: "a", queues: ["q"], retain: "t" },
      { body: "b", queues: ["q"] },
    ]);
    await shard.append(append);
    await shard.append(append);
    expect(await bodies(shard, "q")).toEqual(["a", "b"]);
    expect(shard.head).toBe(append.first + 1);
    const other = appendOf(append.first, [{ body: "a" }, { body: "X" }]);
    expect(await outcome(shard.append(other))).toBe("invalid");
  });

  test("an append without messages moves no head", async () => {
    const shard = await bench().shard();
    await put(shard, { body: "a", queues: ["q"] });
    const head = shard.head;
    await shard.append(change({ senders: [{ sender: "g1", term: 0, seq: 1 }] }));
    await shard.append(change({}));
    expect(shard.head).toBe(head);
    expect(shard.sender("g1")?.seq).toBe(1);
  });

  test("the caller's memory is its own again when the append has settled", async () => {
    const shard = await bench().shard();
    const append = appendOf(firstOf(shard), [{ body: "before", queues: ["q"], retain: "t" }]);
    await shard.append(append);
    append.bodies.fill(0x2e);
    expect(await bodies(shard, "q")).toEqual(["before"]);
    expect(text((await shard.retainedValue("t"))?.body ?? Buffer.of())).toBe("before");
  });

  test("shards know nothing of each other", async () => {
    const one = await bench().shard(1);
    const two = await bench().shard(2);
    await Promise.all([
      put(one, { body: "1", queues: ["q"], retain: "t" }),
      put(two, { body: "2", queues: ["q"] }),
    ]);
    expect(await bodies(one, "q")).toEqual(["1"]);
    expect(await bodies(two, "q")).toEqual(["2"]);
    expect(two.hasRetained("t")).toBe(false);
  });
}
