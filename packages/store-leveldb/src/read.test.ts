import { appendOf } from "@canopy/store/contract";
import { expect, test } from "vitest";
import { DiskReader } from "./disk-reader.ts";
import { encodeRecord } from "./encode.ts";
import { readShard } from "./read.ts";
import { RecordCache } from "./record-cache.ts";
import { TailSegment } from "./segments.ts";
import { ShardState } from "./shard-state.ts";

test("a message that is larger than the index says is not cut off", async () => {
  const append = appendOf(1, [
    { body: "x".repeat(1000), queues: ["q"] },
    { body: "y".repeat(100_000), queues: ["other"] },
  ]);
  const state = new ShardState(0);
  const tail = new TailSegment(1);
  state.tails.push(tail);
  tail.starts.push(append.first);
  state.apply(append, tail);
  const cache = new RecordCache(2 ** 20);
  cache.written(1, 0, encodeRecord([append]));
  const nothing = { get: async () => undefined, getMany: async () => [] };
  const reader = new DiskReader(nothing, cache);
  const read = () =>
    readShard(state, reader, [{ queue: "q", after: 0 }], { messages: 9, bytes: 100 });
  const [message] = (await read()).messages;
  expect([message?.start, message?.end]).toEqual([0, 1000]);
  const { entries } = state.queues.get("q") ?? { entries: [] };
  entries[1] = 990;
  await expect(read()).rejects.toMatchObject({ code: "corrupt" });
});
