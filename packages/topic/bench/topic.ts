/**
 * What the hot paths cost:
 *
 *     node --conditions=source --expose-gc packages/topic/bench/topic.ts
 */
import { FilterTrie, TopicTable } from "@canopy/topic";

function measure(what: string, operations: number, run: () => number): void {
  let best = Number.POSITIVE_INFINITY;
  let result = 0;
  for (let round = 0; round < 5; round++) {
    const started = performance.now();
    result = run();
    best = Math.min(best, performance.now() - started);
  }
  const perSecond = operations / best / 1000;
  process.stdout.write(`${what}: ${perSecond.toFixed(2)} M/s (check ${result})\n`);
}

/** Topic names behind each other in one buffer, as they come from a socket. */
function packed(names: string[]): { buffer: Buffer; ends: number[] } {
  const ends: number[] = [];
  let at = 0;
  for (const name of names) ends.push((at += name.length));
  return { buffer: Buffer.from(names.join("")), ends };
}

function benchIntern(topics: number): void {
  const table = new TopicTable(16);
  const names = Array.from({ length: topics }, (_, i) => `site/${String(i).padStart(6, "0")}/data`);
  const { buffer, ends } = packed(names);
  const rounds = Math.ceil(4_000_000 / topics);
  measure(`intern, 16 bytes, ${topics} topics`, rounds * topics, () => {
    let sum = 0;
    for (let round = 0; round < rounds; round++) {
      let start = 0;
      for (const end of ends) {
        sum += table.intern(buffer, start, end)?.shard ?? 0;
        start = end;
      }
    }
    return sum;
  });
}

function benchNewTopics(): void {
  const count = 200_000;
  const { buffer, ends } = packed(Array.from({ length: count }, (_, i) => `new/topic/${i}`));
  measure("intern, first sight", count, () => {
    const table = new TopicTable(16);
    let start = 0;
    for (const end of ends) {
      table.intern(buffer, start, end);
      start = end;
    }
    return count;
  });
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function benchTrie(filters: number): void {
  const before = heapUsed();
  const trie = new FilterTrie<number>();
  const started = performance.now();
  for (let i = 0; i < filters; i++) {
    const site = i % 1000;
    trie.add(i % 2 === 0 ? `site/${site}/device/${i}/state` : `site/${site}/device/${i}/#`, "c", i);
  }
  trie.add("site/+/device/+/state", "all", 0);
  trie.add("#", "all", 0);
  const seconds = (performance.now() - started) / 1000;
  const bytes = (heapUsed() - before) / filters;
  process.stdout.write(
    `trie, ${filters} filters: ${(filters / seconds / 1e6).toFixed(2)} M adds/s, ${bytes.toFixed(0)} B each\n`,
  );
  const topics = Array.from({ length: 1000 }, (_, i) => {
    const device = (i * 7919) % filters;
    return `site/${device % 1000}/device/${device}/state`;
  });
  measure(`trie, match in ${filters} filters`, 500_000, () => {
    let found = 0;
    for (let i = 0; i < 500_000; i++) {
      found += trie.matchFilters(topics[i % topics.length] as string).length;
    }
    return found;
  });
}

for (const topics of [10, 1000, 10_000, 90_000]) benchIntern(topics);
benchNewTopics();
for (const filters of [1000, 100_000, 1_000_000]) benchTrie(filters);
