import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyFilter, anyTopic } from "../test/arbitraries.ts";
import { matchesFilter } from "./match.ts";
import { FilterTrie } from "./trie.ts";

function trieOf(...filters: string[]): FilterTrie<number> {
  const trie = new FilterTrie<number>();
  filters.forEach((filter, i) => trie.add(filter, "client", i));
  return trie;
}

function filtersFor(trie: FilterTrie<number>, topic: string): string[] {
  return trie
    .matchFilters(topic)
    .map((entry) => entry.filter)
    .sort();
}

describe("FilterTrie", () => {
  test("visits each value of each filter that matches, once", () => {
    const trie = new FilterTrie<number>();
    trie.add("a/b", "x", 1);
    trie.add("a/b", "y", 2);
    trie.add("a/+", "x", 3);
    trie.add("b/+", "x", 4);
    const seen: [number, string, string][] = [];
    trie.match("a/b", (value, key, filter) => seen.push([value, key, filter]));
    expect(seen).toEqual([
      [1, "x", "a/b"],
      [2, "y", "a/b"],
      [3, "x", "a/+"],
    ]);
  });

  test("# matches the parent, + does not", () => {
    const trie = trieOf("a/#", "a/+", "a/+/#", "#", "+", "+/#", "a");
    expect(filtersFor(trie, "a")).toEqual(["#", "+", "+/#", "a", "a/#"]);
    expect(filtersFor(trie, "a/b")).toEqual(["#", "+/#", "a/#", "a/+", "a/+/#"]);
    expect(filtersFor(trie, "a/")).toEqual(["#", "+/#", "a/#", "a/+", "a/+/#"]);
  });

  test("[MQTT-4.7.2-1] a wildcard at the first level does not match $SYS", () => {
    const trie = trieOf("#", "+/#", "+/a", "$SYS/#", "$SYS/+", "$SYS/a");
    expect(filtersFor(trie, "$SYS/a")).toEqual(["$SYS/#", "$SYS/+", "$SYS/a"]);
  });

  test("[MQTT-4.7.3-4] names that only look alike are different", () => {
    expect(filtersFor(trieOf("\u00c5/+", "A\u030a/+", "\u212b/+"), "A\u030a/x")).toEqual([
      "A\u030a/+",
    ]);
  });

  test("a value can be replaced; keys come and go", () => {
    const trie = new FilterTrie<string, number>();
    expect(trie.add("a/+", 1, "old")).toBe(true);
    expect(trie.add("a/+", 1, "new")).toBe(false);
    expect(trie.add("a/+", 2, "two")).toBe(true);
    expect(trie.add("a/+", 2, "zwei")).toBe(false);
    expect([...(trie.get("a/+") ?? [])]).toEqual([
      [1, "new"],
      [2, "zwei"],
    ]);
    expect(trie.get("a/+")?.get(1)).toBe("new");
    expect(trie.get("a/+")?.has(3)).toBe(false);
    expect([trie.size, trie.filters]).toEqual([2, 1]);
    expect(trie.remove("a/+", 3)).toBe(false);
    expect(trie.remove("b", 1)).toBe(false);
    expect(trie.remove("a/+", 1)).toBe(true);
    expect(trie.get("a/+")?.get(2)).toBe("zwei");
    expect(trie.remove("a/+", 2)).toBe(true);
    expect(trie.get("a/+")).toBeUndefined();
    expect([trie.size, trie.filters]).toEqual([0, 0]);
    expect(trie.matchFilters("a/b")).toEqual([]);
  });

  test("version: every change; filtersVersion: filters that come and go", () => {
    const trie = new FilterTrie<number>();
    const versions = (): [number, number] => [trie.version, trie.filtersVersion];
    trie.add("a", "x", 1);
    expect(versions()).toEqual([1, 1]);
    trie.add("a", "x", 2);
    trie.add("a", "y", 2);
    expect(versions()).toEqual([3, 1]);
    trie.remove("a", "z");
    trie.remove("b", "x");
    trie.match("a", () => {});
    expect(versions()).toEqual([3, 1]);
    trie.remove("a", "x");
    expect(versions()).toEqual([4, 1]);
    trie.remove("a", "y");
    expect(versions()).toEqual([5, 2]);
    trie.clear();
    expect(versions()).toEqual([6, 3]);
  });

  test("an entry stays the same while its filter has values, and is empty when dropped", () => {
    const trie = trieOf("a/+");
    const [entry] = trie.matchFilters("a/b");
    trie.add("a/+", "other", 9);
    expect(trie.matchFilters("a/c")).toEqual([entry]);
    expect(entry?.size).toBe(2);
    trie.remove("a/+", "other");
    trie.remove("a/+", "client");
    expect(entry?.size).toBe(0);
    expect([...(entry ?? [])]).toEqual([]);
  });

  test("topics and filters of 30,000 levels need no stack", () => {
    const levels = 30_000;
    const filter = "+/".repeat(levels) + "#";
    const trie = trieOf(filter, "a/#");
    expect(filtersFor(trie, `x${"/".repeat(levels)}`)).toEqual([filter]);
    expect(matchesFilter(filter, `x${"/".repeat(levels)}`)).toBe(true);
    expect(trie.remove(filter, "client")).toBe(true);
    expect(filtersFor(trie, "a/b")).toEqual(["a/#"]);
  });

  test("100,000 subscribers of one filter", () => {
    const trie = new FilterTrie<number, number>();
    const count = 100_000;
    for (let i = 0; i < count; i++) trie.add("news/#", i, i);
    let sum = 0;
    trie.match("news/today", (value) => (sum += value));
    expect(sum).toBe((count * (count - 1)) / 2);
    for (let i = 0; i < count; i++) trie.remove("news/#", i);
    expect([trie.size, trie.filters]).toEqual([0, 0]);
  });

  test("[MQTT-4.7.2-1] [MQTT-3.3.2-3] agrees with matchesFilter, filter by filter, through adds and removes", () => {
    const change = fc.record({ filter: anyFilter, key: fc.nat(2), remove: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), fc.array(anyTopic), (changes, topics) => {
        const trie = new FilterTrie<number, number>();
        const model = new Map<string, Map<number, number>>();
        changes.forEach(({ filter, key, remove }, i) => {
          const values = model.get(filter) ?? new Map<number, number>();
          const known = values.has(key);
          if (remove) values.delete(key);
          else values.set(key, i);
          const changed = remove ? trie.remove(filter, key) : trie.add(filter, key, i);
          expect(changed).toBe(remove === known);
          if (values.size === 0) model.delete(filter);
          else model.set(filter, values);
        });
        const all = new Map([...trie].map((entry) => [entry.filter, new Map(entry)]));
        expect(all).toEqual(model);
        expect(trie.size).toBe([...model.values()].reduce((sum, values) => sum + values.size, 0));
        for (const topic of topics) {
          const found: string[] = [];
          trie.match(topic, (value, key, filter) => found.push(`${filter} ${key} ${value}`));
          const wanted = [...model]
            .filter(([filter]) => matchesFilter(filter, topic))
            .flatMap(([filter, values]) => [...values].map(([k, v]) => `${filter} ${k} ${v}`));
          expect(found.sort()).toEqual(wanted.sort());
        }
      }),
      { numRuns: 500 },
    );
  });
});
