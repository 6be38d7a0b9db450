/**
 * Prints what a retained value costs that a wildcard subscription brings, among more and more of them:
 *
 *     node --conditions=source packages/store-leveldb/bench/retained.ts [most] [folder]
 *
 * `most` is 1,000,000 unless told otherwise. The folder (default: a temporary one) is left as it was.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ShardStore } from "@canopy/store";
import { openLevelStore } from "../src/index.ts";

const BODY = 110;
const BATCH = 500;
/** Topics `retained/{group}/{0…99}`. */
const GROUP = 100;
const MOST_READS = 100;

async function fill(shard: ShardStore, from: number, to: number): Promise<void> {
  const bodies = Buffer.alloc(BODY * BATCH, "bench");
  for (let next = from; next < to; next += BATCH) {
    const count = Math.min(BATCH, to - next);
    const first = shard.head + 1;
    const topicOf = (n: number) => `retained/${Math.floor(n / GROUP)}/${n % GROUP}`;
    await shard.append({
      first,
      bodies: bodies.subarray(0, BODY * count),
      ends: Array.from({ length: count }, (_, i) => (i + 1) * BODY),
      expiries: Array.from({ length: count }, () => 0),
      postings: new Map(),
      retained: Array.from({ length: count }, (_, i) => ({ topic: topicOf(next + i), index: i })),
      receipts: [],
      endedSessions: [],
      senders: [],
      progress: new Map(),
    });
  }
}

/** Microseconds for each value: of time, and of CPU in all threads. */
async function read(shard: ShardStore, size: number): Promise<string> {
  const groups = Math.floor(size / GROUP);
  const count = Math.min(groups, MOST_READS);
  const began = performance.now();
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const filter = `retained/${Math.floor((i * groups) / count)}/+`;
    const limits = { messages: GROUP + 1, bytes: 2 ** 20 };
    const { messages } = await shard.retained(filter, shard.head, undefined, limits);
    if (messages.length !== GROUP) throw new Error(`${filter}: ${messages.length} values`);
  }
  const { user, system } = process.cpuUsage(before);
  const values = count * GROUP;
  const time = ((performance.now() - began) * 1000) / values;
  return `${time.toFixed(1)} µs, ${((user + system) / values).toFixed(1)} µs of CPU`;
}

const [most = "1000000", base = tmpdir()] = process.argv.slice(2);
const folder = await mkdtemp(join(base, "canopy-retained-"));
const store = await openLevelStore({ folder });
try {
  const shard = await store.open(0, 1);
  let before = 0;
  for (let size = 1000; size <= Number(most); size *= 10) {
    await fill(shard, before, size);
    process.stdout.write(`${size} values: ${await read(shard, size)}`);
    process.stdout.write(`; again ${await read(shard, size)}\n`);
    before = size;
  }
} finally {
  await store.close();
  await rm(folder, { recursive: true });
}
