import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { topicNameError, validTopicBytes } from "./name.ts";
import { shardOf } from "./shard.ts";
import { TopicTable } from "./table.ts";
import type { Topic } from "./topic.ts";

function intern(table: TopicTable, name: string): Topic | undefined {
  const bytes = Buffer.from(`..${name}..`);
  return table.intern(bytes, 2, bytes.length - 2);
}

describe("TopicTable", () => {
  test("a topic carries what is derived from its name", () => {
    const topic = intern(new TopicTable(16), "Zürich/温度");
    expect(topic).toMatchObject({
      name: "Zürich/温度",
      levels: 2,
      shard: shardOf("Zürich/温度", 16),
      targets: undefined,
      targetsVersion: -1,
      routes: undefined,
      routesVersion: -1,
    });
    expect(topic?.bytes).toEqual(Buffer.from("Zürich/温度"));
    expect(topic?.wire.subarray(0, 2)).toEqual(Buffer.of(0, 14));
    expect(topic?.wire.subarray(2)).toEqual(topic?.bytes);
  });

  test("the same bytes give the same topic, wherever they lie", () => {
    const table = new TopicTable(4);
    const first = table.internString("a/b");
    expect(intern(table, "a/b")).toBe(first);
    expect(table.intern(Buffer.from("a/b"), 0, 3)).toBe(first);
    expect(intern(table, "a/bc")).not.toBe(first);
    expect(intern(table, "a/")).not.toBe(first);
  });

  test("a topic keeps its own bytes", () => {
    const table = new TopicTable(4);
    const bytes = Buffer.from("a/b");
    const topic = table.intern(bytes, 0, 3);
    bytes.fill(0x78);
    expect(topic?.name).toBe("a/b");
    expect(topic?.bytes.toString()).toBe("a/b");
    expect(table.internString("a/b")).toBe(topic);
  });

  test("[MQTT-1.5.4-3] U+FEFF is not stripped", () => {
    expect(intern(new TopicTable(4), "\ufeffa")?.name).toBe("\ufeffa");
  });

  test("[MQTT-1.5.4-1] a lone surrogate is refused, not replaced", () => {
    const table = new TopicTable(4);
    expect(table.internString("a\ud800")).toBeUndefined();
    expect(table.internString("a\ufffd")?.name).toBe("a\ufffd");
  });

  test("[MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3] an invalid name has no topic", () => {
    const table = new TopicTable(4);
    for (const name of ["", "a/+", "#", "a\0", "a".repeat(65_536)]) {
      expect(intern(table, name)).toBeUndefined();
      expect(intern(table, name)).toBeUndefined();
    }
    expect(intern(table, "a".repeat(65_535))?.name.length).toBe(65_535);
  });

  test("[MQTT-4.7.0-1] [MQTT-1.5.4-1] a topic exists where the bytes are a valid name", () => {
    const table = new TopicTable(4);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.string({ unit: "binary" }).map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        const topic = table.intern(input, 0, input.length);
        expect(topic !== undefined).toBe(validTopicBytes(input));
        const name = topic?.name ?? "invalid";
        expect(topicNameError(name)).toBeUndefined();
        expect(topic?.bytes ?? Buffer.from(input)).toEqual(Buffer.from(input));
        expect(table.intern(input, 0, input.length)).toBe(topic);
      }),
      { numRuns: 2000 },
    );
  });

  test("100,000 names of all lengths are told apart", () => {
    const table = new TopicTable(16);
    const count = 100_000;
    const nameOf = (i: number): string => `t/${i}${"/x".repeat(i % 9)}`;
    const topics = Array.from({ length: count }, (_, i) => table.internString(nameOf(i)));
    expect(topics.findIndex((topic, i) => topic?.name !== nameOf(i))).toBe(-1);
    const kept = topics.filter((topic, i) => table.internString(nameOf(i)) === topic).length;
    expect(kept).toBe(count);
  });

  describe("is bounded", () => {
    function fill(table: TopicTable, prefix: string, count: number): void {
      for (let i = 0; i < count; i++) table.internString(`${prefix}/${i}`);
    }

    test("what is used survives generations, what is not is forgotten", () => {
      const table = new TopicTable(4, { maxTopics: 10 });
      const used = table.internString("used");
      const unused = table.internString("unused");
      for (let round = 0; round < 5; round++) {
        fill(table, `round ${round}`, 8);
        expect(table.internString("used")).toBe(used);
      }
      expect(table.internString("unused")).not.toBe(unused);
    });

    test("long names fill a generation by their bytes", () => {
      const table = new TopicTable(4, { maxBytes: 1000 });
      const first = table.internString("first");
      for (const letter of ["a", "b"]) table.internString(letter.repeat(1000));
      expect(table.internString("first")).toBe(first);
      for (const letter of ["c", "d", "e"]) table.internString(letter.repeat(1000));
      expect(table.internString("first")).not.toBe(first);
    });
  });
});
