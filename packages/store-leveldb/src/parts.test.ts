import fc from "fast-check";
import { expect, test } from "vitest";
import { behind, prefixOf } from "./keys.ts";
import { QueueIndex } from "./queue-index.ts";
import { ByteCache } from "./record-cache.ts";
import { RetainedIndex } from "./retained-index.ts";
import { selectGroup } from "./rewrite.ts";
import { aboveInRun, chunkOf, decodeRun, eachRun, RunWriter } from "./run.ts";
import { SealedSegment } from "./segments.ts";

test("a queue's index counts what is pushed and cut", () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 5 }), size: fc.nat(100) }),
    fc.record({ cut: fc.nat(100) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const index = new QueueIndex("q");
      let model: { offset: number; size: number }[] = [];
      let offset = 2 ** 32;
      for (const one of steps) {
        if ("push" in one) {
          offset += one.push;
          index.push(offset, one.size);
          model.push({ offset, size: one.size });
        } else {
          const upTo = model[Math.floor((model.length * one.cut) / 100)]?.offset ?? 0;
          index.cut(upTo);
          model = model.filter((item) => item.offset > upTo);
        }
        expect(index.tailMessages).toBe(model.length);
        expect(index.tailBytes).toBe(model.reduce((sum, { size }) => sum + size, 0));
        expect(index.first()).toBe(model[0]?.offset ?? 0);
        expect(index.last()).toBe(model.at(-1)?.offset ?? 0);
        expect(index.isEmpty).toBe(model.length === 0);
      }
    }),
  );
});

test("the index of retained topics is a sorted map", () => {
  const step = fc.record({ topic: fc.string({ maxLength: 3 }), remove: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 100 }),
      fc.string({ maxLength: 1 }),
      (steps, prefix) => {
        const index = new RetainedIndex();
        const model = new Map<string, number>();
        steps.forEach(({ topic, remove }, i) => {
          if (remove) {
            index.delete(topic);
            model.delete(topic);
          } else {
            index.set(topic, i + 1);
            model.set(topic, i + 1);
          }
          expect(index.get(topic)).toBe(model.get(topic));
        });
        expect(index.size).toBe(model.size);
        const sorted = [...model]
          .filter(([topic]) => topic.startsWith(prefix))
          .sort(([a], [b]) => (a < b ? -1 : 1));
        expect(index.range(undefined, prefix, 1000)).toEqual(sorted);
        const [middle] = sorted[sorted.length >>> 1] ?? [prefix];
        expect(index.range(middle, prefix, 3)).toEqual(
          sorted.filter(([topic]) => topic > middle).slice(0, 3),
        );
      },
    ),
  );
});

test("the index of retained topics splits and empties its blocks", () => {
  const index = new RetainedIndex();
  const topics = Array.from({ length: 5000 }, (_, i) => `t/${(i * 7919) % 5000}`);
  for (const topic of topics) index.set(topic, 1);
  expect(index.range(undefined, "", 10_000).map(([topic]) => topic)).toEqual(topics.toSorted());
  for (const topic of topics) index.delete(topic);
  expect(index.size).toBe(0);
  expect(index.range(undefined, "", 10)).toEqual([]);
});

test("runs come out of chunks as they went in", () => {
  const writer = new RunWriter();
  const places = ["a", "ü".repeat(100), "c"].map((name, i) => {
    for (let j = 0; j < 100; j++) writer.add(2 ** 40 + j * (i + 1), Math.floor(j / 10), j * 50);
    return writer.end(name);
  });
  const chunk = writer.take() ?? Buffer.of();
  const seen: string[] = [];
  eachRun(chunk, 0, ({ name, messages, first, last }, place) => {
    expect([messages, first, place]).toEqual([100, 2 ** 40, places[seen.length]]);
    expect(last).toBe(2 ** 40 + 99 * (seen.length + 1));
    seen.push(name);
  });
  expect(seen).toEqual(["a", "ü".repeat(100), "c"]);
  const run = decodeRun(9, chunk, places[1] ?? 0);
  expect([run.offsets[7], run.records[17], run.sizes[3]]).toEqual([2 ** 40 + 14, 1, 150]);
  expect(aboveInRun(run, 2 ** 40 + 14)).toBe(8);
  writer.add(1, 1, 1);
  expect(chunkOf(writer.end("later"))).toBe(1);
  expect(() => decodeRun(9, chunk.subarray(0, 50), 0)).toThrow(
    expect.objectContaining({ code: "corrupt" }),
  );
});

test("a cache keeps to its bytes; the oldest goes first", () => {
  const cache = new ByteCache<number, number>(100, (size) => size, true);
  cache.set(1, 40);
  cache.set(2, 40);
  cache.get(1);
  cache.set(3, 40);
  expect([1, 2, 3].map((key) => cache.get(key))).toEqual([40, undefined, 40]);
  cache.set(4, 200);
  expect(cache.bytes).toBe(0);
});

test("neighbours are rewritten when little of them is needed, or when they are small", () => {
  const segment = (id: number, bytes: number, live: number) => {
    const made = new SealedSegment(id, { records: 1, chunks: 1, bytes, first: id, last: id });
    made.liveBytes = live;
    made.liveMessages = live;
    return made;
  };
  const ids = (...list: SealedSegment[]) =>
    selectGroup(list, { segmentBytes: 1000, isRipe: ({ id }) => id !== 9 }).map(({ id }) => id);
  expect(ids(segment(1, 1000, 900))).toEqual([]);
  expect(ids(segment(1, 1000, 300), segment(2, 1000, 100))).toEqual([2]);
  expect(ids(segment(1, 1000, 10), segment(2, 1000, 10), segment(3, 1000, 999))).toEqual([1, 2]);
  expect(ids(segment(1, 1000, 10), segment(9, 1000, 10), segment(2, 1000, 10))).toEqual([1]);
  expect(ids(...[1, 2, 3].map((id) => segment(id, 100, 100)))).toEqual([]);
  expect(ids(...[1, 2, 3, 4, 5, 6, 7, 8].map((id) => segment(id, 100, 100)))).toHaveLength(8);
});

test("the end of a range of keys is behind all that begin like its prefix", () => {
  expect(behind(prefixOf("record", 0xff)).toString("hex")).toBe(
    Buffer.from("r\0\0\x01", "latin1").toString("hex"),
  );
  expect(behind(Buffer.of(1, 0xff, 0xff))).toEqual(Buffer.of(2));
});
