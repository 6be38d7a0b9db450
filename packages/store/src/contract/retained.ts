import { expect, test } from "vitest";
import {
  allRetained,
  appendOf,
  change,
  firstOf,
  type MakeHarness,
  outcome,
  put,
  text,
  useBench,
} from "./harness.ts";

export function retainedTests(makeHarness: MakeHarness): void {
  const bench = useBench(makeHarness);
  const topics = ["a", "a/b", "a/b/c", "a/c", "b", "/", "$SYS/x", "ü/ö", "a/b\u0000c"];
  const keep = (...names: string[]) => names.map((retain) => ({ body: `=${retain}`, retain }));

  test("values are found by filter, with $-topics only where the filter names them", async () => {
    const shard = await bench().shard();
    await put(shard, ...keep(...topics));
    const found = async (filter: string) =>
      (await allRetained(shard, filter)).map(({ topic }) => topic).sort();
    expect(await found("#")).toEqual(topics.filter((topic) => !topic.startsWith("$")).sort());
    expect(await found("+")).toEqual(["a", "b"]);
    expect(await found("a/#")).toEqual(["a", "a/b", "a/b\u0000c", "a/b/c", "a/c"]);
    expect(await found("a/+")).toEqual(["a/b", "a/b\u0000c", "a/c"]);
    expect(await found("+/+")).toEqual(["/", "a/b", "a/b\u0000c", "a/c", "ü/ö"].sort());
    expect(await found("$SYS/#")).toEqual(["$SYS/x"]);
    expect(await found("a/b")).toEqual(["a/b"]);
    expect(await found("ü/+")).toEqual(["ü/ö"]);
    expect(await found("x/#")).toEqual([]);
    expect(shard.retainedCount).toBe(topics.length);
  });

  test("a value carries its offset and body", async () => {
    const shard = await bench().shard();
    const first = await put(shard, { body: "x" }, ...keep("t"));
    const value = await shard.retainedValue("t");
    expect(value).toMatchObject({ topic: "t", offset: first + 1 });
    expect(text(value?.body ?? Buffer.of())).toBe("=t");
    expect(await shard.retainedValue("u")).toBeUndefined();
    expect(shard.hasRetained("t")).toBe(true);
    expect(shard.hasRetained("u")).toBe(false);
  });

  test("changes of one append are applied in order", async () => {
    const shard = await bench().shard();
    const append = appendOf(firstOf(shard), [{ body: "1" }, { body: "2" }]);
    await shard.append({
      ...append,
      retained: [
        { topic: "t", index: 0 },
        { topic: "t", index: 1 },
        { topic: "gone", index: 0 },
        { topic: "gone", index: -1 },
        { topic: "back", index: -1 },
        { topic: "back", index: 1 },
      ],
    });
    expect(await allRetained(shard, "#")).toHaveLength(2);
    expect((await shard.retainedValue("t"))?.offset).toBe(append.first + 1);
    expect(shard.hasRetained("gone")).toBe(false);
    expect(shard.hasRetained("back")).toBe(true);
  });

  test("a new value replaces the old one, a removal leaves none", async () => {
    const shard = await bench().shard();
    await put(shard, ...keep("t", "u"));
    const second = await put(shard, { body: "new", retain: "t" });
    expect(await shard.retainedValue("t")).toMatchObject({ offset: second });
    expect(shard.retainedCount).toBe(2);
    await shard.append(change({ retained: [{ topic: "t", index: -1 }] }));
    await shard.append(change({ retained: [{ topic: "nobody", index: -1 }] }));
    expect(await shard.retainedValue("t")).toBeUndefined();
    expect((await allRetained(shard, "#")).map(({ topic }) => topic)).toEqual(["u"]);
    expect(shard.retainedCount).toBe(1);
  });

  test("one body may be posted and retained, also under several topics", async () => {
    const shard = await bench().shard();
    const append = appendOf(firstOf(shard), [{ body: "x", queues: ["q"], retain: "t" }]);
    await shard.append({ ...append, retained: [...append.retained, { topic: "u", index: 0 }] });
    await shard.trim("q", append.first);
    expect((await allRetained(shard, "#")).map(({ body }) => text(body))).toEqual(["x", "x"]);
  });

  test("pages come to an end and hold every value once", async () => {
    const shard = await bench().shard();
    const names = Array.from({ length: 100 }, (_, i) => `t/${i}`);
    await put(shard, ...keep(...names), ...keep("other"));
    for (const messages of [1, 7, 100, 1000]) {
      const found = await allRetained(shard, "t/+", { messages, bytes: 2 ** 30 });
      expect(found.map(({ topic }) => topic).sort()).toEqual(names.toSorted());
      expect(found.every(({ topic, body }) => text(body) === `=${topic}`)).toBe(true);
    }
    // The bodies have 4 or 5 bytes.
    const byBytes = await shard.retained("t/+", shard.head, undefined, {
      messages: 100,
      bytes: 11,
    });
    expect(byBytes.messages).toHaveLength(3);
  });

  test("values may change and go while pages are taken", async () => {
    const shard = await bench().shard();
    const names = Array.from({ length: 40 }, (_, i) => `t/${i}`);
    await put(shard, ...keep(...names));
    const seen = new Set<string>();
    const touched = new Set<string>();
    let after: string | undefined;
    do {
      const page = await shard.retained("t/#", shard.head, after, { messages: 3, bytes: 999 });
      for (const { topic } of page.messages) seen.add(topic);
      after = page.next;
      const last = page.messages.at(-1)?.topic;
      if (last !== undefined) {
        touched.add(last);
        await shard.append(change({ retained: [{ topic: last, index: -1 }] }));
      }
      await put(shard, { body: "late", retain: `late/${seen.size}` });
    } while (after !== undefined);
    for (const name of names) expect(seen.has(name)).toBe(true);
    expect(touched.size).toBeGreaterThan(10);
  });

  test("values stored after upTo are left out", async () => {
    const shard = await bench().shard();
    await put(shard, ...keep("a", "b"));
    const bound = shard.head;
    await put(shard, ...keep("b", "c"));
    const found = await allRetained(shard, "#", undefined, bound);
    expect(found.map(({ topic }) => topic)).toEqual(["a"]);
  });

  test("a value whose expiry is far away is there", async () => {
    const shard = await bench().shard();
    await put(shard, { body: "x", retain: "t", queues: ["q"], expiry: Date.now() + 3_600_000 });
    expect(await allRetained(shard, "t")).toHaveLength(1);
  });

  test("limits below 1 are refused", async () => {
    const shard = await bench().shard();
    const page = shard.retained("#", 1, undefined, { messages: 0, bytes: 1 });
    expect(await outcome(page)).toBe("invalid");
  });
}
