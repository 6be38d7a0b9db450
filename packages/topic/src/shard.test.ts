import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyFilter, anyTopic } from "../test/arbitraries.ts";
import { matchesFilter } from "./match.ts";
import { shardOf, shardsOfFilter } from "./shard.ts";

/** With this many shards the shard is the whole hash. */
const WHOLE = 2 ** 32;

describe("shardOf", () => {
  test("the hash is a contract: what is on disk was placed by it", () => {
    expect(
      ["", "a", "a/b", "sensors/1/temperature", "$SYS/broker/uptime", "Zürich/温度"].map((name) =>
        shardOf(name, WHOLE),
      ),
    ).toEqual([0xab3e7c0b, 0x1a80b1b3, 0xa11ccf42, 0x1038f988, 0xd7777d6d, 0x39b7535d]);
    expect(["a", "b", "c", "d", "e", "f"].map((name) => shardOf(name, 16))).toEqual([
      3, 2, 1, 14, 3, 0,
    ]);
  });

  test("a string and its UTF-8 have the same shard", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.integer({ min: 1, max: 1000 }),
        (name, shards) => {
          const shard = shardOf(name, shards);
          expect(shardOf(Buffer.from(name), shards)).toBe(shard);
          expect(shard).toBeGreaterThanOrEqual(0);
          expect(shard).toBeLessThan(shards);
        },
      ),
    );
  });

  test("names that differ in a number spread evenly", () => {
    for (const shards of [4, 16, 60]) {
      const counts = Array.from({ length: shards }, () => 0);
      const perShard = 2000;
      for (let i = 0; i < shards * perShard; i++) {
        const shard = shardOf(`site/${i}/state`, shards);
        counts[shard] = (counts[shard] as number) + 1;
      }
      for (const count of counts) expect(Math.abs(count - perShard)).toBeLessThan(perShard * 0.12);
    }
  });
});

describe("shardsOfFilter", () => {
  test("an exact filter concerns one shard, a wildcard all", () => {
    expect(shardsOfFilter("a/b", 16)).toEqual([shardOf("a/b", 16)]);
    expect(shardsOfFilter("a/+", 4)).toEqual([0, 1, 2, 3]);
    expect(shardsOfFilter("#", 1)).toEqual([0]);
  });

  test("covers the shard of every topic that matches", () => {
    fc.assert(
      fc.property(anyFilter, anyTopic, (filter, topic) => {
        fc.pre(matchesFilter(filter, topic));
        expect(shardsOfFilter(filter, 7)).toContain(shardOf(topic, 7));
      }),
    );
  });
});
