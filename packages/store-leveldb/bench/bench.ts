/**
 * Prints what the store does on this machine:
 *
 *     node --conditions=source packages/store-leveldb/bench/bench.ts [folder]
 *
 * The folder (default: a temporary one) should be on the disk in question; what is made there is
 * removed at the end.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Append, ShardStore, Store } from "@canopy/store";
import { openLevelStore } from "../src/index.ts";

const BODY = 100;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

function print(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(64)} ${value}\n`);
}

const rate = (count: number, ms: number) => `${Math.round(count / ms).toLocaleString("en")} k/s`;

function appendOf(first: number, count: number, queueOf: (i: number) => string): Append {
  const postings = new Map<string, number[]>();
  for (let i = 0; i < count; i++) {
    const queue = queueOf(i);
    const indexes = postings.get(queue);
    if (indexes === undefined) postings.set(queue, [i]);
    else indexes.push(i);
  }
  return {
    first,
    bodies: bodies.subarray(0, count * BODY),
    ends: Array.from({ length: count }, (_, i) => (i + 1) * BODY),
    expiries: Array.from({ length: count }, () => 0),
    postings,
    retained: [],
    receipts: [],
    endedSessions: [],
    senders: [{ sender: "g1", term: 0, seq: first }],
    progress: new Map(),
  };
}

const bodies = Buffer.alloc(BODY * 10_000, "bench");

/** The longest time for which the event loop stood still (ms), until it is stopped. */
function watchLoop(): () => number {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last - 1);
    last = now;
  }, 1);
  return () => {
    clearInterval(timer);
    return longest;
  };
}

function measureSync(folder: string): void {
  const file = openSync(join(folder, "fdatasync"), "w");
  const times: number[] = [];
  for (let i = 0; i < 200; i++) {
    const start = performance.now();
    writeSync(file, bodies, 0, 4096);
    fdatasyncSync(file);
    times.push(performance.now() - start);
  }
  closeSync(file);
  times.sort((a, b) => a - b);
  const at = (part: number) => `${(times[Math.floor(times.length * part)] ?? 0).toFixed(2)} ms`;
  print("fdatasync of 4 KiB, median / 99 %", `${at(0.5)} / ${at(0.99)}`);
}

interface Load {
  readonly name: string;
  readonly messages: number;
  readonly batch: number;
  /** Appends under way at a time, per shard. */
  readonly depth: number;
  readonly shards: number;
  readonly queueOf: (i: number) => string;
  readonly trim: boolean;
}

async function append(store: Store, load: Load): Promise<ShardStore[]> {
  const shards: ShardStore[] = [];
  for (let i = 0; i < load.shards; i++) {
    shards.push(await store.open(i, (await store.epoch(i)) + 1));
  }
  const longest = watchLoop();
  const start = performance.now();
  await Promise.all(shards.map((shard) => feed(shard, load)));
  const ms = performance.now() - start;
  print(load.name, `${rate(load.messages, ms)}, loop stood still ≤ ${longest().toFixed(0)} ms`);
  return shards;
}

async function feed(shard: ShardStore, load: Load): Promise<void> {
  let next = shard.epoch * 2 ** 32 + 1;
  const end = next + load.messages / load.shards;
  const one = async () => {
    while (next < end) {
      const first = next;
      next += load.batch;
      await shard.append(appendOf(first, load.batch, (i) => load.queueOf(first + i)));
      if (load.trim && first % 50 === 0) await shard.trim("all", first);
    }
  };
  await Promise.all(Array.from({ length: load.depth }, one));
}

async function drain(shard: ShardStore, queue: string, messages: number): Promise<number> {
  const start = performance.now();
  let position = 0;
  let count = 0;
  for (;;) {
    const page = await shard.read([{ queue, after: position }], { messages, bytes: NO_LIMIT });
    count += page.messages.length;
    position = page.upTo;
    if (!page.limited) break;
  }
  print(
    `read ${count.toLocaleString("en")}, ${messages} at a time`,
    rate(count, performance.now() - start),
  );
  return count;
}

async function run(folder: string): Promise<void> {
  measureSync(folder);
  const million = 1_000_000;
  const base = { messages: million, shards: 1, depth: 4, trim: false, queueOf: () => "all" };
  for (const durability of ["sync", "os"] as const) {
    const store = await openLevelStore({ folder: join(folder, durability), durability });
    const at = (name: string) => `append ${name}, ${durability}`;
    const [shard] = await append(store, {
      ...base,
      batch: 1000,
      name: at("1 M, batches of 1000, one queue"),
    });
    if (shard === undefined) return;
    for (const messages of [100, 1000]) await drain(shard, "all", messages);
    await shard.close();
    const again = performance.now();
    const reopened = await store.open(0, (await store.epoch(0)) + 1);
    print("open a shard with 1 M messages", `${(performance.now() - again).toFixed(0)} ms`);
    await drain(reopened, "all", 1000);
    await append(store, {
      ...base,
      shards: 4,
      batch: 1000,
      trim: true,
      name: at("1 M, 4 shards, trimmed at once"),
    });
    const queueOf = (i: number) => `device/${i % 100_000}/#`;
    await append(store, {
      ...base,
      batch: 1000,
      queueOf,
      name: at("1 M, batches of 1000, 100,000 queues"),
    });
    await append(store, {
      ...base,
      messages: 20_000,
      batch: 1,
      depth: 64,
      name: at("20,000, one by one, 64 waiting"),
    });
    await append(store, {
      ...base,
      messages: 2000,
      batch: 1,
      depth: 1,
      name: at("2000, one by one, one waiting"),
    });
    await store.close();
  }
}

const folder = await mkdtemp(join(process.argv[2] ?? tmpdir(), "canopy-bench-"));
try {
  await run(folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
