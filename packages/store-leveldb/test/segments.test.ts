import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { backgroundTimers } from "@canopy/base";
import { matchesFilter, type ShardStore, storedBody } from "@canopy/store";
import { appendOf, change } from "@canopy/store/contract";
import { ClassicLevel } from "classic-level";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type LevelStore,
  type LevelStoreCounts,
  type LevelStoreOptions,
  openLevelStore,
} from "../src/index.ts";
import { temporaryFolder } from "./harness.ts";

const ALL = { messages: 1_000_000, bytes: 2 ** 40 };
const SEGMENT = 20_000;

let folder = "";
let store: LevelStore;
let shard: ShardStore;
let next = 0;

async function open(epoch: number, options: Partial<LevelStoreOptions> = {}): Promise<void> {
  store = await openLevelStore({
    folder,
    segmentBytes: SEGMENT,
    durability: "os",
    cacheBytes: 0,
    rewriteDelay: 0,
    ...options,
  });
  shard = await store.open(0, epoch);
  next = epoch * 2 ** 32 + 1;
}
beforeEach(async () => {
  folder = await temporaryFolder();
  await open(1);
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

/** Appends messages of 100 bytes, ten per append; each says where it goes. */
async function append(count: number, queuesOf: (i: number) => string[], expiry = 0): Promise<void> {
  for (let i = 0; i < count; i += 10) {
    const drafts = Array.from({ length: 10 }, (_, j) => ({
      body: `${next + j}`.padEnd(100, "."),
      queues: queuesOf(i + j),
      expiry,
    }));
    await shard.append(appendOf(next, drafts));
    next += 10;
  }
}

async function offsets(...queues: string[]): Promise<number[]> {
  const asked = queues.map((queue) => ({ queue, after: 0 }));
  const { messages } = await shard.read(asked, ALL);
  for (const message of messages) {
    if (!storedBody(message).toString().startsWith(`${message.offset}.`))
      throw new Error("wrong body");
  }
  return messages.map(({ offset }) => offset);
}

/** Waits until the background has done what it should. */
async function until(isDone: (counts: LevelStoreCounts) => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (isDone(store.counts())) return;
    await sleep(10);
  }
  expect(store.counts()).toBe("done");
}

async function keysOnDisk(): Promise<Map<string, number>> {
  const level = new ClassicLevel<Buffer, Buffer>(folder, { keyEncoding: "buffer" });
  const kinds = new Map<string, number>();
  for (const key of await level.keys().all()) {
    const kind = String.fromCharCode(key[0] ?? 0);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  await level.close();
  return kinds;
}

test("full segments are sealed, and read like before", async () => {
  await append(2000, (i) => (i % 2 === 0 ? ["all", "even"] : ["all"]));
  await until(({ sealed, unsealed }) => sealed > 5 && unsealed === 1);
  for (let round = 0; round < 2; round++) {
    const all = await offsets("all");
    expect(all).toHaveLength(2000);
    expect(await offsets("even")).toEqual(all.filter((_, i) => i % 2 === 0));
    expect(await offsets("even", "all")).toEqual(all);
    expect(await shard.stats(["even"])).toMatchObject([{ messages: 1000, bytes: 100_000 }]);
    expect(await shard.excess("all", { messages: 1500, bytes: 2 ** 40 })).toBe(all[499]);
    expect(await shard.excess("all", { messages: 9999, bytes: 1000 })).toBe(all[1989]);
    const part = await shard.read([{ queue: "all", after: all[700] ?? 0 }], {
      ...ALL,
      messages: 5,
    });
    expect(part.messages.map(({ offset }) => offset)).toEqual(all.slice(701, 706));
    await store.close();
    await open(2 + round);
  }
});

test("segments that nothing needs are dropped, with all their keys", async () => {
  await append(2000, () => ["q"]);
  await until(({ sealed, unsealed }) => sealed > 5 && unsealed === 1);
  await shard.trim("q", next);
  expect(await shard.stats()).toEqual([]);
  await until(({ sealed }) => sealed === 0);
  await sleep(50);
  await store.close();
  const kinds = await keysOnDisk();
  expect(kinds.get("s")).toBe(1);
  expect(kinds.get("i")).toBeUndefined();
  expect(kinds.get("r") ?? 0).toBeLessThan(30);
  await open(2);
  expect(shard.head).toBe(2 ** 32 + 2000);
});

test("what is left in mostly unneeded segments is moved, and they are dropped", async () => {
  await append(4000, (i) => (i % 50 === 0 ? ["rare", "often"] : ["often"]));
  await until(({ sealed, unsealed }) => sealed > 15 && unsealed === 1);
  const before = store.counts().sealed;
  const rare = await offsets("rare");
  const cut = 2 ** 32 + 3500;
  await shard.trim("often", cut);
  await until(({ sealed }) => sealed < before / 2);
  for (let round = 0; round < 3; round++) {
    expect(await offsets("rare")).toEqual(rare);
    expect(await offsets("often")).toHaveLength(500);
    expect(await shard.stats(["rare", "often"])).toMatchObject([
      { messages: rare.length, first: rare[0], last: rare.at(-1) },
      { messages: 500, first: cut + 1 },
    ]);
    if (round === 0) await store.abandon();
    else await store.close();
    await open(2 + round);
    if (round === 0) await shard.trim("often", cut);
  }
  await shard.trim("rare", rare[30] ?? 0);
  expect(await offsets("rare")).toEqual(rare.slice(31));
});

test("what is mostly unneeded is left alone for a while: it may go as a whole soon", async () => {
  await store.close();
  let later = 0;
  let ripe: (() => void) | undefined;
  await open(2, {
    rewriteDelay: 60_000,
    clock: { now: () => performance.now() + later, wall: () => Date.now() },
    timers: {
      set: (ms, run) => {
        if (ms < 50_000) return backgroundTimers.set(ms, run);
        ripe = run;
        return { cancel: () => {} };
      },
    },
  });
  await append(2000, (i) => (i % 50 === 0 ? ["rare"] : ["often"]));
  await until(({ unsealed }) => unsealed === 1);
  const before = store.counts().sealed;
  await shard.trim("often", next - 1);
  await until(() => ripe !== undefined);
  expect(store.counts().sealed).toBe(before);
  later = 60_000;
  ripe?.();
  await until(({ sealed }) => sealed < before / 2);
  expect(await offsets("rare")).toHaveLength(40);
});

test("a read of a little from each of many records does not keep them all in memory", async () => {
  const drafts = Array.from({ length: 100 }, (_, j) => ({
    body: `${j}`.padEnd(1000, "."),
    queues: j === 50 ? ["few"] : ["many"],
  }));
  for (let i = 0; i < 40; i++) {
    await shard.append(appendOf(next, drafts));
    next += drafts.length;
  }
  const { messages } = await shard.read([{ queue: "few", after: 0 }], {
    messages: 100,
    bytes: 50_000,
  });
  expect(messages.map((message) => storedBody(message).toString().slice(0, 3))).toEqual(
    Array.from({ length: 40 }, () => "50."),
  );
  const kept = new Set(messages.map(({ bytes }) => bytes.buffer));
  const size = [...kept].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(size).toBeLessThan(5 * 50_000);
});

test("what a read keeps in memory is bounded by what it brought, not by what it might have", async () => {
  const drafts = Array.from({ length: 100 }, (_, j) => ({
    body: `${j}`.padEnd(1000, "."),
    queues: j === 50 ? ["few"] : ["many"],
  }));
  for (let i = 0; i < 20; i++) {
    await shard.append(appendOf(next, drafts));
    next += drafts.length;
  }
  const limits = { messages: 1000, bytes: 256 * 1024 };
  const kept = new Set<ArrayBufferLike>();
  let brought = 0;
  for (let after = 0; after < next - 1; ) {
    const { messages, upTo } = await shard.read([{ queue: "few", after }], {
      ...limits,
      messages: 1,
    });
    after = upTo;
    for (const message of messages) {
      kept.add(message.bytes.buffer);
      brought += storedBody(message).length;
    }
  }
  const sizeOf = (buffers: Iterable<ArrayBufferLike>) =>
    [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(brought).toBe(20_000);
  expect(sizeOf(kept)).toBeLessThanOrEqual(5 * brought);
  // Whole records are given as they are: nothing is copied.
  const { messages } = await shard.read([{ queue: "many", after: 0 }], limits);
  expect(messages.map(({ start }) => start)).not.toContain(0);
});

test("readers go on while what they read is sealed, trimmed and moved", async () => {
  const seen: number[] = [];
  let position = 0;
  let done = false;
  const reading = (async () => {
    while (!done || position < next - 1) {
      const result = await shard.read([{ queue: "rare", after: position }], {
        ...ALL,
        messages: 3,
      });
      seen.push(...result.messages.map(({ offset }) => offset));
      position = result.upTo;
      await new Promise(setImmediate);
    }
  })();
  for (let i = 0; i < 20; i++) {
    await append(200, (j) => (j % 40 === 7 ? ["rare"] : ["often"]));
    await shard.trim("often", next - 50);
  }
  done = true;
  await reading;
  expect(seen).toEqual(await offsets("rare"));
  expect(seen).toHaveLength(100);
});

test("expired messages are not moved", async () => {
  await append(1000, (i) => (i % 20 === 0 ? ["rare"] : ["often"]), Date.now() + 500);
  await append(1000, (i) => (i % 20 === 0 ? ["rare"] : ["often"]));
  await sleep(600);
  await until(({ sealed, unsealed }) => sealed > 5 && unsealed === 1);
  await shard.trim("often", next);
  await until(({ sealed }) => sealed < 4);
  const left = await offsets("rare");
  expect(left.length).toBeLessThan(60);
  expect(left.filter((offset) => offset > 2 ** 32 + 1000)).toHaveLength(50);
  expect(await shard.stats(["rare"])).toMatchObject([{ messages: left.length }]);
});

test("retained values come from sealed segments and the present one, neighbours or not", async () => {
  // the order of strings and that of bytes differ for the last two
  const names = [...Array.from({ length: 300 }, (_, i) => `a/${i}`), "a/\u{1f600}", "a/\uff5e"];
  const values = new Map<string, string>();
  const set = async (topics: readonly string[], value: string) => {
    const drafts = topics.map((topic) => ({ body: `${topic} ${value}`, retain: topic }));
    await shard.append(appendOf(next, drafts));
    next += drafts.length;
    for (const topic of topics) values.set(topic, value);
  };
  await set(names, "old");
  await append(1000, () => ["q"]);
  await until(({ sealed, unsealed }) => sealed > 3 && unsealed === 1);
  await set([names[5] as string, "a/\u{1f600}", "a", "a!", "b"], "new");
  const gone = names[7] as string;
  await shard.append(change({ retained: [{ topic: gone, index: -1 }] }));
  values.delete(gone);
  for (const filter of ["a/+", "#", "a/299", "a/7", "+/1", "a/#", "a/1/#", "b/#"]) {
    for (const messages of [1000, 10, 3]) {
      const found = new Map<string, string>();
      let after: string | undefined;
      do {
        const page = await shard.retained(filter, shard.head, after, { messages, bytes: 1e6 });
        for (const { topic, body } of page.messages) {
          expect(found.has(topic)).toBe(false);
          found.set(topic, Buffer.from(body).toString());
        }
        after = page.next;
      } while (after !== undefined);
      const wanted = [...values].filter(([topic]) => matchesFilter(filter, topic));
      expect(found).toEqual(new Map(wanted.map(([topic, value]) => [topic, `${topic} ${value}`])));
    }
  }
});

test("retained values, receipts, senders and progress outlive their segments", async () => {
  const receipts = [{ session: 5, key: 6, add: true }];
  await shard.append({
    ...appendOf(next++, [{ body: "kept", retain: "t" }]),
    receipts,
    senders: [{ sender: "g1", term: 0, seq: 9 }],
    progress: new Map([["q", Buffer.from("p")]]),
  });
  await shard.append(change({ receipts: [{ session: 6, key: 1, add: true }] }));
  await append(1000, () => []);
  await shard.append(change({ endedSessions: [6], retained: [{ topic: "none", index: -1 }] }));
  await append(1000, () => []);
  await until(({ unsealed, sealed }) => unsealed === 1 && sealed === 0);
  for (let round = 0; round < 2; round++) {
    expect(Buffer.from((await shard.retainedValue("t"))?.body ?? []).toString()).toBe("kept");
    expect(await shard.receipts(5)).toEqual([6]);
    expect(await shard.receiptSessions()).toEqual([5]);
    expect(shard.sender("g1")?.seq).toBe(9);
    expect(Buffer.from((await shard.progress("q")) ?? []).toString()).toBe("p");
    await store.close();
    await open(2 + round);
  }
});

test("floors go when the segments that they concern are gone", async () => {
  for (let i = 0; i < 3; i++) {
    const name = `n${i}/`;
    await append(2000, (j) => [`${name}${j}`]);
    await until(({ unsealed }) => unsealed === 1);
    for (let j = 0; j < 2000; j++) await shard.trim(`${name}${j}`, next);
    await until(({ sealed }) => sealed === 0);
    await store.close();
    await open(2 + i);
  }
  await append(400, () => []);
  await until(({ unsealed }) => unsealed === 1);
  await sleep(100);
  await store.close();
  expect((await keysOnDisk()).get("f") ?? 0).toBeLessThan(3000);
});
